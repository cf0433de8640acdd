# about = "An awaited reply of a hundred megabytes is an error as well."
# expect = "error:ToolError"
await tools.big(bytes=100 * 10**6)
