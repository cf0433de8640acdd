# about = "A workflow whose module never ends is stopped."
# expect = "kind:timeout"
# limits.timeout_ms = 300
workflows.create("spin", """
while True:
    pass

async def run():
    return 1
""")
workflows.spin()
