# host = "workshop"
# about = "A workflow that invokes itself ends."
# expect = ["error:RecursionError", "error:WorkflowError", "kind:timeout", "limit:tool_calls"]
# session = ["kept", "reset"]
# limits.timeout_ms = 10000
workflows.create("again", "async def run():\n    return await workflows.again.call_async()\n")
workflows.again()
