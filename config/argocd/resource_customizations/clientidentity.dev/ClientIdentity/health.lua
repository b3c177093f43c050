local hs = {status = "Progressing", message = "Waiting for the operator"}
if obj.status == nil or obj.status.conditions == nil then
  return hs
end
if obj.status.observedGeneration ~= obj.metadata.generation then
  hs.message = "Waiting for the operator to see the latest change"
  return hs
end

local conditions = {}
for _, condition in ipairs(obj.status.conditions) do
  conditions[condition.type] = condition
end
local function isTrue(condition)
  return condition ~= nil and condition.status == "True"
end

-- Not Suspended, which would hold up every later sync wave: to have no access is what was asked for.
if isTrue(conditions.Withdrawn) then
  hs.status = "Healthy"
  hs.message = "Withdrawn: " .. conditions.Withdrawn.message
  return hs
end
if isTrue(conditions.Stalled) then
  hs.status = "Degraded"
  hs.message = conditions.Stalled.message
  return hs
end
if isTrue(conditions.Ready) then
  hs.status = "Healthy"
  hs.message = conditions.Ready.message
  -- This one also tells what stands in the way of the next certificate.
  if conditions.CertificateIssued ~= nil then
    hs.message = conditions.CertificateIssued.message
  end
  return hs
end
if conditions.Ready ~= nil then
  hs.message = conditions.Ready.message
end
return hs
