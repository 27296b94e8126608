"""Put people who stand in front of a plain wall into photos of rooms, in other clothes and other light.

    python recipes/other_rooms.py people/train.jsonl rooms/train.jsonl OUT --source rf100_signers --count 2000

Most photos of whole people show the same few people, so a palm detector learns their walls and their black shirts by
heart. `knuckle.train.compose.people` cuts them out. For clips from one place without a plain wall, `--place` is a
picture of the place (`clip_hands.py` writes one). Writes OUT/train.jsonl, for `knuckle train palm --data`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from rich.progress import track

from knuckle.images import Image
from knuckle.media.photo_files import load_image
from knuckle.train.compose.cutout import is_within, joined_origin, moved
from knuckle.train.compose.people import (
    cut_out_person,
    person_in_front_of_place,
    person_in_front_of_wall,
    put_into_room,
    with_other_clothes,
)
from knuckle.train.label_file import LabelledPhoto, open_label_file, read_label_file


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("people", type=Path, help="labels whose photos show people in front of a plain wall")
    options.add_argument("rooms", type=Path, help="labels; their hand-free photos are the rooms")
    options.add_argument("out", type=Path)
    options.add_argument("--source", required=True, help="use only photos of this source of PEOPLE")
    options.add_argument("--rooms-source", help="use only photos of this source of ROOMS")
    options.add_argument("--place", type=Path, help="picture of the place where the people were filmed")
    options.add_argument("--count", type=int, default=2000)
    options.add_argument("--seed", type=int, default=0)
    chosen = options.parse_args()
    find: Callable[[Image], Image] = person_in_front_of_wall
    if chosen.place:
        find = partial(person_in_front_of_place, load_image(chosen.place))
    people: list[tuple[LabelledPhoto, Image]] = []
    for photo in track(read_label_file(chosen.people), "people"):
        labelled = photo.complete and any(hand.landmarks is not None for hand in photo.hands)
        mask = cut_out_person(photo, find) if photo.about["source"] == chosen.source and labelled else None
        if mask is not None:
            people.append((photo, mask))
    rooms = [photo for photo in read_label_file(chosen.rooms) if not photo.hands]
    rooms = [photo for photo in rooms if chosen.rooms_source in (None, photo.about.get("source"))]
    if not people or not rooms:
        sys.exit(f"{len(people)} photos of people and {len(rooms)} rooms can be used; one of each is needed (--source)")
    with open_label_file(chosen.out) as file:
        for number in track(range(chosen.count), "pictures"):
            rng = np.random.default_rng((chosen.seed, number))
            (photo, mask), room = people[int(rng.integers(len(people)))], rooms[int(rng.integers(len(rooms)))]
            dressed = with_other_clothes(photo.open(), mask, rng)
            picture, affine = put_into_room(dressed, mask, room.open(), rng)
            hands = [hand for hand in (moved(hand, affine) for hand in photo.hands) if is_within(hand, picture)]
            file.write(f"{number:05d}", picture, hands, **joined_origin([photo, room]))
    print(f"{chosen.count} pictures of {len(people)} people's photos in {len(rooms)} rooms")


if __name__ == "__main__":
    main()
