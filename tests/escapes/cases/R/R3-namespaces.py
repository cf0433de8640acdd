# about = "A tool whose name has a hundred thousand parts."
# expect = ["error:ToolError", "error:RecursionError"]
tool = tools
for _ in range(10**5):
    tool = tool.a
tool()
