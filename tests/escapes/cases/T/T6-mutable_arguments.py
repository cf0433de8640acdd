# host = "workshop"
# policy = true
# about = "Arguments that change while the call is on its way are sent once and judged as they were sent."
# expect = "value:[]"
paid = []


class Amount(dict):
    """Another one each time that it is looked at."""

    seen = 0

    def __iter__(self):
        Amount.seen += 1
        return iter({"amount": 1} if Amount.seen < 2 else {"amount": 10**6})

    def items(self):
        Amount.seen += 1
        return ({"value": 1} if Amount.seen < 2 else {"value": 10**6}).items()


try:
    tools.bank.transfer(to="alice", amount=Amount(value=1))
except Exception:
    pass
tools.clerk.approve()
try:
    paid.append(tools.bank.transfer(to="alice", amount=Amount(value=10**6)))
except Exception:
    pass
# What was paid without an approval the workshop's ledger tells.
[what for what in paid if what != "paid"]
