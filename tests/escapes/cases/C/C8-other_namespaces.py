# about = "Calls of all namespaces share the budget."
# expect = ["error:ArtifactError", "error:WorkflowError", "error:DepsError", "error:ToolError"]
# limits.tool_calls = 100
while True:
    tools.list()
    artifacts.list()
    workflows.list()
    deps.list()
