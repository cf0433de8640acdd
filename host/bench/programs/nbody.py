"""The orbits of five bodies: floats, lists and attributes, nothing but byte code."""

import math


class Body:
    def __init__(self, position: list[float], velocity: list[float], mass: float) -> None:
        self.x, self.y, self.z = position
        self.vx, self.vy, self.vz = velocity
        self.mass = mass


def pull(bodies: list[Body], dt: float) -> None:
    for number, one in enumerate(bodies):
        for other in bodies[number + 1 :]:
            dx, dy, dz = one.x - other.x, one.y - other.y, one.z - other.z
            distance = dx * dx + dy * dy + dz * dz
            strength = dt / (distance * math.sqrt(distance))
            heavy, light = one.mass * strength, other.mass * strength
            one.vx -= dx * light
            one.vy -= dy * light
            one.vz -= dz * light
            other.vx += dx * heavy
            other.vy += dy * heavy
            other.vz += dz * heavy
    for body in bodies:
        body.x += dt * body.vx
        body.y += dt * body.vy
        body.z += dt * body.vz


bodies = [
    Body([0.0, 0.0, 0.0], [0.0, 0.0, 0.0], 39.5),
    Body([4.8, -1.2, -0.1], [0.6, 2.8, -0.02], 0.038),
    Body([8.3, 4.1, -0.4], [-1.0, 1.8, 0.008], 0.011),
    Body([12.9, -15.1, -0.2], [1.1, 0.9, -0.01], 0.0017),
    Body([15.4, -25.9, 0.2], [1.0, 0.6, -0.03], 0.002),
]
for _ in range(20_000):
    pull(bodies, 0.01)
print(f"{bodies[1].x:.6f}")
