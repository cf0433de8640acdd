# about = "A workflow that calls itself."
# expect = ["error:WorkflowError", "error:RecursionError"]
workflows.create("again", """
async def run():
    return await workflows.again()
""")
await workflows.again()
