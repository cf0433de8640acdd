# host = "workshop"
# policy = true
# about = "An approval is for the arguments that were approved, and for no others."
# also = ["subprocess"]
# expect = "value:[]"
paid = []
mine = {"to": "alice", "amount": 1}


def pay(**args):
    try:
        paid.append([args, tools.bank.transfer(**args)])
    except ToolError as error:
        return error.original_type


assert pay(**mine) == "ApprovalRequired"
assert tools.clerk.approve() == 1
for other in ({"to": "mallory", "amount": 1}, {"to": "alice", "amount": 10**6}, {"to": "alice", "amount": 1.0}, {"to": "alice", "amount": "1"}, {"to": "alice", "amount": True}, {"to": "alice", "amount": 1, "memo": "x"}, {"to": "alice"}, {"to": "alice ", "amount": 1}, {"to": ["alice"], "amount": 1}):
    pay(**other)
paid
