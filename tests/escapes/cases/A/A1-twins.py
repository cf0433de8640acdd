# host = "workshop"
# about = "Two names that look alike are two artifacts or one, and neither reads the other's by chance."
# expect = "value:true"
artifacts.save("one.json", {"a": 1})
artifacts.save("ONE.json", {"a": 2})
artifacts.save("e\u0301", "decomposed")
artifacts.save("\u00e9", "composed")
artifacts.save("x", "x")
artifacts.save("x.meta.json", {"forged": True})
artifacts.save("*", "star")
artifacts.save("{tag}", "tag")
artifacts.save("a:b", "colon")
artifacts.save("CON", "device")
[
    artifacts.load("one.json")["a"] in (1, 2),
    artifacts.load("x") == "x",
    artifacts.load("*") == "star",
    artifacts.load("{tag}") == "tag",
    artifacts.load("a:b") == "colon",
    artifacts.load("\u00e9") == "composed",
    artifacts.load("CON") == "device",
    not artifacts.exists("?"),
    not artifacts.exists("[ab]:b"),
] == [True] * 9
