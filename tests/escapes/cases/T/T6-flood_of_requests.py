# host = "workshop"
# policy = true
# about = "Requests for approval are bounded in number and length, and each has its reference."
# expect = "value:true"
# host_mib = 64
kinds = set()
for number in range(300):
    try:
        tools.bank.transfer(to="\u202e\x1b[2J" + "a" * 1000, amount=number)
    except ToolError as error:
        kinds.add(error.original_type)
try:
    tools.bank.transfer(to="x" * 10**6, amount=0)
except ToolError as error:
    kinds.add(error.original_type)
len(kinds) >= 2 and "ApprovalRequired" in kinds
