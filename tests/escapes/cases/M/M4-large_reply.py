# about = "A reply of a hundred megabytes is an error for the code that asked."
# expect = "error:ToolError"
tools.big(bytes=100 * 10**6)
