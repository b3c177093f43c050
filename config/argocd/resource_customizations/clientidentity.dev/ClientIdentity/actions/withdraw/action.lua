obj.spec.state = "Withdrawn"
return obj
