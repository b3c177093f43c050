obj.spec.state = "Active"
return obj
