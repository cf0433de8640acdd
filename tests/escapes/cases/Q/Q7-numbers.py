# about = "Numbers that no number of the host holds are data, or refused."
# also = ["in-process"]
# expect = "ok"
values = [float("nan"), float("inf"), -float("inf"), 1e308 * 10, 2**63, -(2**63) - 1, 2**64, 10**400, -0.0, 5e-324, True, 10**4000]
answers = []
for value in values:
    try:
        answers.append(tools.echo(text=value))
    except Exception as error:
        answers.append(type(error).__name__)
[str(answer)[:40] for answer in answers]
