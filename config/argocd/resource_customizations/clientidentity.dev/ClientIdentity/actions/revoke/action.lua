local os = require("os")
obj.spec.revokeIssuedBefore = os.date("!%Y-%m-%dT%XZ")
return obj
