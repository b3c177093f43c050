local withdrawn = obj.spec.state == "Withdrawn"
return {
  renew = {
    displayName = "Renew the certificate",
    iconClass = "fa fa-fw fa-sync",
    disabled = withdrawn,
  },
  withdraw = {
    displayName = "Withdraw access",
    iconClass = "fa fa-fw fa-ban",
    disabled = withdrawn,
  },
  activate = {
    displayName = "Give access back",
    iconClass = "fa fa-fw fa-play-circle",
    disabled = not withdrawn,
  },
  -- With bindTo: Username, earlier certificates would keep what the user name is granted.
  revoke = {
    displayName = "Revoke earlier certificates",
    iconClass = "fa fa-fw fa-user-slash",
    disabled = obj.spec.bindTo ~= "Credential",
  },
}
