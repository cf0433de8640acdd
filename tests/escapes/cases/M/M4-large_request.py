# about = "A request of ten megabytes does not leave the session."
# expect = ["error:ToolError", "error:EncodingError"]
tools.echo(text="x" * 10**7)
