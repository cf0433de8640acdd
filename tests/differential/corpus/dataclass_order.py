from dataclasses import dataclass, field, asdict

@dataclass(order=True, frozen=True)
class Card:
    rank: int
    suit: str = field(compare=False, default="spades")

cards = sorted([Card(3), Card(1, "hearts"), Card(2)])
print(cards[0])
(asdict(cards[1]), Card(3) == Card(3, "clubs"), hash(Card(1)) == hash(Card(1, "x")))
