"""Single images: `detect` finds the hands of one image or of many, `detect_palms` and `landmarks_in` do parts of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, TypeVar, overload

from knuckle.errors import Error, InputError
from knuckle.gestures.recogniser import load_gestures
from knuckle.images import Image, Order
from knuckle.media.inputs import check_path, is_list, open_image, shown_in
from knuckle.models import catalogue
from knuckle.models.session import default_threads
from knuckle.pipeline.hand import without_absent
from knuckle.pipeline.networks import Models, Networks, load
from knuckle.pipeline.options import TrackerOptions
from knuckle.pipeline.tracker import accept, hand_detection, new_candidates, second_look, unique
from knuckle.results import Hand, Palm, Roi

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from knuckle.media.inputs import ImageLike, ImageList
    from knuckle.pipeline.options import OptionKeywords

# Images of a list that are opened and searched together. More gain nothing and need more memory
# (`python benchmarks/batches.py`).
BATCH = 8
T = TypeVar("T")


@overload
def detect(
    image: ImageLike,
    models: Models = ...,
    options: TrackerOptions | None = ...,
    *,
    threads: int | None = ...,
    device: str = ...,
    order: Order = ...,
    **changes: Unpack[OptionKeywords],
) -> list[Hand]: ...
@overload
def detect(
    image: ImageList,
    models: Models = ...,
    options: TrackerOptions | None = ...,
    *,
    threads: int | None = ...,
    device: str = ...,
    order: Order = ...,
    **changes: Unpack[OptionKeywords],
) -> list[list[Hand]]: ...
def detect(
    image: Any,
    models: Models = catalogue.DEFAULT,
    options: TrackerOptions | None = None,
    *,
    threads: int | None = None,
    device: str = "cpu",
    order: Order = "rgb",
    **changes: Unpack[OptionKeywords],
) -> list[Hand] | list[list[Hand]]:
    """The hands of one image, the best palm's first; or of each image of a list. Nothing is remembered or smoothed.

    A list is faster than a loop: several images run side by side, opened `BATCH` at a time. A file that is damaged ends
    the call; a loop over `knuckle.read` skips it.

    Args:
        image: the path of a photo, a NumPy array (RGB uint8 (height, width, 3); gray, RGBA and 16-bit are converted), a
            PIL image, or a list, tuple or iterator of them.
        models: a bundle's name, folder or `.task` file, or loaded `Networks`.
        options: a TrackerOptions; its fields can also be given as keywords. Options about video have no effect.
        threads: see `load`.
        device: see `load`.
        order: order of the channels of arrays: "rgb", or "bgr" as OpenCV reads them.

    Returns:
        A list of hands; for a list of images a list of such lists, in the same order.

    Raises:
        InputError: an image or an option cannot be used.
        SourceError: a file does not exist or cannot be read.
        BundleError: the models are unknown or damaged, or cannot be fetched.
    """
    options, networks = TrackerOptions.of(options, changes), load(models, threads, device)
    if is_list(image):
        results = []
        for given, opened in _batches(image, order):
            found = hands_in_images(opened, networks, options)
            results += [shown_in(hands, one, order) for hands, one in zip(found, given, strict=True)]
        return results
    return shown_in(hand_detection(networks, options)(open_image(image, order)), image, order)


@overload
def detect_palms(
    image: ImageLike,
    models: Models = ...,
    options: TrackerOptions | None = ...,
    *,
    threads: int | None = ...,
    device: str = ...,
    order: Order = ...,
    **changes: Unpack[OptionKeywords],
) -> list[Palm]: ...
@overload
def detect_palms(
    image: ImageList,
    models: Models = ...,
    options: TrackerOptions | None = ...,
    *,
    threads: int | None = ...,
    device: str = ...,
    order: Order = ...,
    **changes: Unpack[OptionKeywords],
) -> list[list[Palm]]: ...
def detect_palms(
    image: Any,
    models: Models = catalogue.DEFAULT,
    options: TrackerOptions | None = None,
    *,
    threads: int | None = None,
    device: str = "cpu",
    order: Order = "rgb",
    **changes: Unpack[OptionKeywords],
) -> list[Palm] | list[list[Palm]]:
    """All palms of one image, best first, without landmarks; or of each image of a list. `max_hands` has no effect.

    Arguments and errors are those of `detect`.
    """
    options = TrackerOptions.of(options, changes)
    detector = load(models, threads, device).palm_detector(options)
    if is_list(image):
        return list(chain.from_iterable(detector.in_images(opened) for _, opened in _batches(image, order)))
    palms: list[Palm] = detector.graph()(open_image(image, order))
    return palms


def landmarks_in(
    image: ImageLike,
    rois: Sequence[Roi],
    models: Models = catalogue.DEFAULT,
    options: TrackerOptions | None = None,
    *,
    threads: int | None = None,
    device: str = "cpu",
    order: Order = "rgb",
    **changes: Unpack[OptionKeywords],
) -> list[Hand | None]:
    """Landmarks in regions of your own: for each region its hand, or None if the network sees no hand there.

    A region should be about twice as large as palm and knuckles, and rotated so that the fingers point up in it.
    `Roi.around(box)` makes one from the box of an upright hand. Other arguments and errors are those of `detect`.
    """
    options = TrackerOptions.of(options, changes)
    picture = open_image(image, order)
    if not isinstance(rois, Sequence) or not all(isinstance(roi, Roi) for roi in rois):
        raise InputError(f"rois must be a list of Roi; Roi.around(box) makes one from a box; got {rois!r}")
    landmarker = load(models, threads, device).hand_landmarker(options)
    found = landmarker.read(picture, rois)
    hands = shown_in(without_absent(found, landmarker.points), image, order)
    if options.gestures:
        hands = load_gestures(options.gestures)(hands)
    return [hand if landmarker.gate([one]) else None for one, hand in zip(found, hands, strict=True)]


def hands_in_images(images: Sequence[Image], networks: Networks, options: TrackerOptions) -> list[list[Hand]]:
    """What the graph `hand_detection` gives for each of several images; each step runs on all of them.

    The palm network is called once, the landmark network once, and once more for the second look.
    """
    complete = networks.completed(options)
    landmarker = networks.hand_landmarker(complete)
    every_hand = networks.hand_landmarker(complete, min_presence=-1.0)
    palms = networks.palm_detector(complete, complete.min_tried_score).in_images(images)
    found = landmarker.in_images(images, [new_candidates(these, (), complete) for these in palms])
    again = every_hand.in_images(images, [second_look(hands, complete.second_look) for hands in found])
    pairs = zip(found, again, strict=True)
    whole = [unique(accept(first, second, complete), options=complete) for first, second in pairs]
    hands = [without_absent(these, landmarker.points) for these in whole]
    return list(map(load_gestures(options.gestures), hands)) if options.gestures else hands


def _batches(images: Iterable[Any], order: Order) -> Iterator[tuple[list[Any], list[Image]]]:
    """Open images `BATCH` at a time; threads open the next batch while the caller is busy with one.

    So at most two batches are in memory, however long a list of paths is.

    Yields:
        What the caller gave, and the opened images.
    """
    if isinstance(images, (list, tuple)):
        for number, given in enumerate(images):
            if isinstance(given, (str, os.PathLike)):
                _named(number, check_path, given)
    rest = enumerate(images)
    with ThreadPoolExecutor(default_threads(), thread_name_prefix="knuckle-open") as pool:

        def start() -> list[tuple[Any, Future[Image]]]:
            batch = islice(rest, BATCH)
            return [(given, pool.submit(_named, number, open_image, given, order)) for number, given in batch]

        opening = start()
        while opening:
            given, opened = [one for one, _ in opening], [job.result() for _, job in opening]
            opening = start()
            yield given, opened


def _named(number: int, run: Callable[..., T], *arguments: Any) -> T:
    """Run a function; its error says which image of the list it is about."""
    try:
        return run(*arguments)
    except Error as error:
        raise type(error)(f"image {number} of the list: {error}") from error
