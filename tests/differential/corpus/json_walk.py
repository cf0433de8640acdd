import json

text = json.dumps({"users": [{"id": n, "tags": ["t%d" % (n % 3)] * (n % 4), "score": n / 7} for n in range(20)]}, indent=2)
data = json.loads(text)
by_tag = {}
for user in data["users"]:
    for tag in set(user["tags"]):
        by_tag.setdefault(tag, []).append(user["id"])
print(json.dumps(by_tag, sort_keys=True))
sum(user["score"] for user in data["users"])
