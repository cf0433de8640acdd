# host = "workshop"
# about = "A secret that the guest never had cannot be spelled out by it, in whatever form."
# expect = "value:0"
import base64

answer = str(tools.api.item(id="1")) + str(tools.list()) + str(tools.show.get(url="${PCM_ESCAPES_CANARY}"))
forms = [answer, answer[::-1], base64.b64encode(answer.encode()).decode(), " ".join(answer), answer.encode().hex()]
for form in forms:
    print(form)
sum("canary-" in form for form in forms)
