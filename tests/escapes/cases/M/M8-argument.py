# about = "A list a million deep as an argument does not leave the session."
# expect = ["error:EncodingError", "error:RecursionError"]
deep = []
for _ in range(10**6):
    deep = [deep]
tools.echo(text=deep)
