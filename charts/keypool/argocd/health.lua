-- Health of Keypool's kinds in Argo CD: resource.customizations.health.keypool.dev_ModelProvider and
-- resource.customizations.health.keypool.dev_LoadBalanceGroup in argocd-cm (or keypool.dev_* where wildcards are supported).
--
-- Healthy, with a message, while anything can serve: one missing Secret of ten or one limited key must not fail a sync.

local health = { status = "Progressing", message = "Waiting for the operator" }
local status = obj.status
if status == nil or status.conditions == nil then
  return health
end

local conditions = {}
for _, condition in ipairs(status.conditions) do
  conditions[condition.type] = condition
end

local function is(type, value)
  return conditions[type] ~= nil and conditions[type].status == value
end

if is("Paused", "True") then
  return { status = "Suspended", message = conditions["Paused"].message }
end
if status.observedGeneration == nil or status.observedGeneration ~= obj.metadata.generation then
  return health
end
if is("Stalled", "True") then
  return { status = "Degraded", message = conditions["Stalled"].message }
end
if is("Ready", "True") then
  health.status = "Healthy"
  health.message = conditions["Ready"].message
  for _, type in ipairs({ "ResolvedRefs", "KeysHealthy", "MembersHealthy", "EndpointHealthy" }) do
    if is(type, "False") then
      health.message = conditions[type].message
      break
    end
  end
  return health
end
if conditions["Ready"] ~= nil then
  health.message = conditions["Ready"].message
  if is("Ready", "False") and not is("Reconciling", "True") then
    health.status = "Degraded"
  end
end
return health
