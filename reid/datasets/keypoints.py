"""The 36 keypoints of a vehicle and the 13 faces between them, numbered as PAMTRI's annotations number them.

The order is known from a figure of PAMTRI's pose annotations; names are ours. A keypoint of one side has its
mirror image on the other: k and k + 18.
"""

SIDES = ("left", "right")
PARTS_OF_A_SIDE = (
    "rear wheel",
    "front wheel",
    "front arch, front end",
    "front arch, front top",
    "front arch, rear top",
    "front arch, rear end",
    "rear arch, front end",
    "rear arch, front top",
    "rear arch, rear top",
    "rear arch, rear end",
    "rear lower corner",
    "rear upper corner",
    "rear window, lower corner",
    "roof, rear corner",
    "roof, front corner",
    "windscreen, lower corner",
    "front upper corner",
    "front lower corner",
)
KEYPOINTS = tuple(f"{side} {part}" for side in SIDES for part in PARTS_OF_A_SIDE)
MIRRORED_KEYPOINTS = tuple((k + 18) % 36 for k in range(36))  # what each becomes in a mirrored picture

SEGMENTS = {  # face -> the keypoints at its corners, around it
    "left front fender": (5, 15, 16, 17),
    "left side": (5, 6, 12, 15),
    "left rear quarter": (6, 10, 11, 12),
    "right front fender": (23, 33, 34, 35),
    "right side": (23, 24, 30, 33),
    "right rear quarter": (24, 28, 29, 30),
    "rear": (10, 11, 29, 28),
    "trunk lid": (11, 12, 30, 29),
    "rear window": (12, 13, 31, 30),
    "roof": (13, 14, 32, 31),
    "windscreen": (14, 15, 33, 32),
    "bonnet": (15, 16, 34, 33),
    "front": (16, 17, 35, 34),
}
MIRRORED_SEGMENTS = (3, 4, 5, 0, 1, 2, 6, 7, 8, 9, 10, 11, 12)

# VeRi's values, numbered from 1
COLORS = ("yellow", "orange", "green", "gray", "red", "blue", "white", "golden", "brown", "black")
TYPES = ("sedan", "suv", "van", "hatchback", "mpv", "pickup", "bus", "truck", "estate")
