# host = "workshop"
# about = "Workflows count as well."
# expect = "error:WorkflowError"
source = "async def run():\n    return 1\n# " + "x" * 10**6 + "\n"
for number in range(100):
    workflows.create(f"w{number % 3}", source)
