"""Fill the tables of the README and of docs/ with measurements: `python docs/make_tables.py`."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from make_accuracy import section
from make_gestures import gesture_tables, recogniser_table
from make_points import points_tables
from make_scale import scale_tables
from make_serve import mobile_tables, serve_tables

DOCS = Path(__file__).resolve().parent
RESULTS = DOCS.parent / "benchmarks" / "results"
sys.path.insert(0, str(DOCS.parent / "benchmarks"))
MIXED = "knuckle-fast-landmarks"  # our landmark network behind MediaPipe's palm network
NAMES = {name: f"`{name}`" for name in ("knuckle", "knuckle-fast", "mediapipe", "mediapipe-lite")}
LANDMARK_FIGURES = {
    "error": "error, % of palm",
    "tips": "tips, %",
    "world_mm": "in space, mm",
    "handedness": "side right",
}
PALM_FIGURES = {"ap": "AP, %", "recall": "found, %", "keypoints": "key points, % of palm"}
SIZES = {"4_8": "4–8 %", "8_16": "8–16 %", "16_32": "16–32 %", "32_80": "32–80 %"}


README = DOCS.parent / "README.md"
BUNDLES = ("knuckle", "knuckle-fast", "knuckle-far", "mediapipe", "mediapipe-lite")
# Bundles that share a network with one that was measured.
PALMS_OF, HAND_OF = {"knuckle": "knuckle-fast"}, {"knuckle-far": "knuckle"}
NEAR, FAR = ("16_32", "32_80"), ("4_8", "8_16")  # longer side of the hand's box, percent of the photo's
TIP_ERROR = "median error, missed = infinite"


def main() -> None:
    (RESULTS / "bundles.json").write_text(json.dumps(bundle_sizes(), indent=2) + "\n")
    draw_curves(read("ablations")["palm"], DOCS / "images" / "palm_curves.svg")
    for page, tables in pages().items():
        fill(page, tables)


def pages() -> dict[Path, dict[str, str]]:
    """The generated tables of each document by their marks."""
    networks, palms, ablations = read("networks"), read("palms"), read("ablations")
    ours, fast, mixed = (read(f"accuracy_{name}")["datasets"] for name in ("knuckle", "knuckle-fast", MIXED))
    hand_rows = {"data": "data", "heads": "heads", "hand_teacher": "teacher"}
    training = {mark: ablation(ablations[name], LANDMARK_FIGURES) for mark, name in hand_rows.items()}
    training |= {name: ablation(ablations[name], PALM_FIGURES) for name in ("palm", "palm_teacher")}
    return {
        README: readme_tables(),
        DOCS / "model_hand.md": {"card": hand_card(networks, ours, list(NAMES))},
        DOCS / "model_hand_fast.md": {
            "card": hand_card(networks, mixed, [name for name in NAMES if name != "knuckle"])
        },
        DOCS / "model_palm.md": {"card": palm_card(palms, ours, fast)},
        DOCS / "history_hand.md": {
            "time": times(networks["time"]),
            "free": free(networks["free"]),
            "renders": renders(networks["renders"], networks["models"]),
            "accuracy": accuracy(mixed),
        },
        DOCS / "history_palm.md": {
            "time": times(palms["time"]),
            "boxes": boxes(palms["boxes"], palms["models"]),
            "box_sizes": box_sizes(palms["box_sizes"]),
            "scenes": scenes(palms["scenes"]),
            "free": alarms(palms["free"], palms["models"]),
            "accuracy": accuracy(fast),
        },
        DOCS / "training_log.md": training | {"shapes": shapes(read("shapes"))},
        DOCS / "web.md": {
            "speed": browser(read("web")),
            "int8": browser_int8(read("web_int8")),
            "phone": phone(read("phone")),
        },
        DOCS / "space.md": space_tables(read("space"), read("smooth")),
        DOCS / "scale.md": scale_tables(read("scale")),
        DOCS / "points.md": points_tables(read("points")),
        DOCS / "model_gestures.md": gesture_tables(read("gestures")),
        DOCS / "migrate.md": {"recogniser": recogniser_table(read("recogniser_task"))},
        DOCS / "serve.md": serve_tables(read_if_there("uploads"), read_if_there("serve")),
        DOCS / "mobile.md": mobile_tables(read_if_there("mobile_task")),
        DOCS / "graph.md": {"overhead": overhead(read("graph_overhead"))},
        DOCS / "install.md": {"install": installations(read("install")), "opencv": without_opencv(read("opencv"))},
    }


def read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text())
    return found


def read_if_there(name: str) -> dict[str, Any] | None:
    return read(name) if (RESULTS / f"{name}.json").exists() else None


def fill(path: Path, tables: Mapping[str, str]) -> None:
    """Put each table between its marks, `<!-- NAME -->` and `<!-- /NAME -->`, in a document."""
    text = path.read_text()
    for mark, table in tables.items():
        start, end = f"<!-- {mark} -->\n", f"<!-- /{mark} -->"
        text = f"{text[: text.index(start)]}{start}{table}\n{text[text.index(end) :]}"
    path.write_text(text)


def installations(found: dict[str, Any]) -> str:
    """What an installation costs, with each extra."""
    lines = ["| | MB on disk | packages | `import knuckle`, s |", "|---|---|---|---|"]
    for row in found["rows"]:
        name = f"with `{row['extra']}`" if row["extra"] else "plain"
        lines.append(f"| {name} | {row['mb']} | {row['packages']} | {row['import_s']:.2f} |")
    return "\n".join([*lines, "", f"Python {found['python']}, {found['system']}. Time of the processor."])


def without_opencv(found: dict[str, dict[str, float]]) -> str:
    """Parts of the pipeline with OpenCV and without, in milliseconds."""
    lines = ["| ms | OpenCV | without |", "|---|---|---|"]
    for task, times in found.items():
        others = ", ".join(f"{name} {ms:.1f}" for name, ms in times.items() if name != "OpenCV")
        lines.append(f"| {task} | {times.get('OpenCV', math.nan):.1f} | {others} |")
    return "\n".join(lines)


def space_tables(found: dict[str, Any], smooth: dict[str, Any]) -> dict[str, str]:
    """The tables of docs/space.md: one camera, several cameras, smoothing."""
    length = f"{found['hand_length_m']:.3f} m"
    alone = [
        "| position from | distance off by, median % | 90th percentile, % | bias, % | off across, mm | error / stated |"
    ]
    alone += ["|---|---|---|---|---|---|"]
    for name, row in found["one_camera"].items():
        figures = [f"{row['median']:.1f}", f"{row['p90']:.1f}", f"{row['bias']:+.1f}", f"{row['across_mm']:.0f}"]
        alone.append(f"| {name} | {' | '.join(figures)} | {row['errors_to_stated']:.1f} |")
    count = next(iter(found["one_camera"].values()))["hands"]
    alone += ["", f"{count} hands of one man at about 1.2 m; known length: {length}, from all cameras together."]
    board = found["board"]
    rig = ["| | board's corners | " + " | ".join(f"{row['handedness'].lower()} hand" for row in found["rig"]) + " |"]
    rig += ["|---" * (2 + len(found["rig"])) + "|"]
    rows: dict[str, tuple[str, str]] = {
        "frames | –": ("frames", "d"),
        "views of a hand, mean | –": ("views", ".1f"),
        f"reprojection error, median, px | {board['reprojection_px']:.1f}": ("reprojection_px", ".1f"),
        f"error, median, mm | {board['median_mm']:.1f} (90 %: {board['p90_mm']:.1f})": ("", ""),
        "stated standard deviation, median, mm | –": ("std_mm", ".1f"),
        "spread of palm bones, % | –": ("palm_spread", ".1f"),
        "spread of all bones, % | –": ("bone_spread", ".1f"),
        "length of the hand, m | –": ("hand_length_m", ".3f"),
    }
    for title, (key, form) in rows.items():
        cells = [format(row[key], form) if key else "no truth" for row in found["rig"]]
        rig.append(f"| {title} | {' | '.join(cells)} |")
    filters = ["| | jitter, % of palm | of slow hands | lag, ms | error, % of palm |", "|---|---|---|---|---|"]
    for name, row in smooth["ways"].items():
        figures = [f"{row['jitter']:.2f}", f"{row['jitter_slow']:.2f}", f"{row['lag_ms']:+.1f}", f"{row['error']:.1f}"]
        filters.append(f"| {name} | {' | '.join(figures)} |")
    filters += ["", f"{smooth['hands']} hands of {smooth['clips']} clips."]
    return {"one_camera": "\n".join(alone), "rig": "\n".join(rig), "smooth": "\n".join(filters)}


def overhead(found: dict[str, Any]) -> str:
    """The cost of the graph itself, without the work of its nodes."""
    lines = [f"| {found['nodes']} nodes | µs per frame |", "|---|---|"]
    return "\n".join([*lines, *(f"| {name} | {value:.0f} |" for name, value in found["microseconds"].items())])


def readme_tables() -> dict[str, str]:
    """The generated tables of the README by their marks."""
    import bench

    return {
        "models": which_model(read("palms"), read("networks"), tip_errors(), read("bundles")),
        "speed": bench.table(read("speed")),
        "web": in_browser(read("web")),
    }


def in_browser(report: dict[str, Any]) -> str:
    """The README's sentence about Chromium: one hand visible, `max_hands=2`."""
    (ms,) = (row["ms"] for row in report["rows"] if row["name"] == "one hand visible, `max_hands=2`")
    own = "knuckle" if "knuckle" in ms else "knuckle-fast"
    return (
        f"In Chromium: {ms['mediapipe']:.1f} ms for one hand with `mediapipe`, "
        f"{ms[own]:.1f} with `{own}`; "
        f"@mediapipe/tasks-vision {ms['tasks-vision']:.1f} ([details](docs/web.md))."
    )


def bundle_sizes() -> dict[str, float]:
    """Megabytes of the two networks of each bundle."""
    from knuckle.models import catalogue

    found = {name: catalogue.find(name) for name in BUNDLES}
    return {
        name: round((bundle.palm_path.stat().st_size + bundle.hand_path.stat().st_size) / 1e6, 1)
        for name, bundle in found.items()
    }


def tip_errors() -> dict[str, float]:
    """Median error of the fingertips on the photos of ti1k, of every bundle that was measured."""
    return of_all([read(f"accuracy_{name}")["datasets"] for name in ("knuckle-fast", "knuckle")], "ti1k", TIP_ERROR)


def which_model(
    palms: dict[str, Any], networks: dict[str, Any], tips: Mapping[str, float], sizes: dict[str, float]
) -> str:
    """A row per bundle: size, time, recall near and far, error of fingertips, whether it needs a download."""
    lines = [
        "| bundle | MB | ms: search + each hand | recall near, % | recall far, % | tip error, % | offline |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in BUNDLES:
        palm, hand = PALMS_OF.get(name, name), HAND_OF.get(name, name)
        time = f"{palms['time'][palm]['2 threads']['ms']:.1f} + {networks['time'][hand]['2 threads']['ms']:.1f}"
        near, far = (recall(palms["box_sizes"][palm], sizes_of_hands) for sizes_of_hands in (NEAR, FAR))
        tip = f"{tips[name]:.1f}" if name in tips else "–"
        offline = "yes" if name.startswith("knuckle") else "after download"
        lines.append(f"| `{name}` | {sizes[name]} | {time} | {near:.0f} | {far:.0f} | {tip} | {offline} |")
    return "\n".join(lines)


def figures(datasets: list[dict[str, Any]], name: str, metric: str) -> dict[str, float]:
    """One row of an accuracy report: the value of each model. Ours is called `knuckle` whatever was mixed."""
    (row,) = (
        row
        for dataset in datasets
        for table in dataset["tables"]
        for row in table["rows"]
        if dataset["name"] == name and table["title"] in ("images", "video") and row["metric"] == metric
    )
    return {model.removesuffix("-landmarks"): figure["value"] for model, figure in row["figures"].items()}


def of_all(runs: Sequence[list[dict[str, Any]]], name: str, metric: str) -> dict[str, float]:
    """One row of several accuracy reports together."""
    return {model: value for datasets in runs for model, value in figures(datasets, name, metric).items()}


def hand_card(networks: dict[str, Any], datasets: list[dict[str, Any]], names: list[str]) -> str:
    """The card of a landmark network: a row per figure, a column per network."""

    def rendered(key: str, part: str = "all") -> dict[str, float]:
        measured = networks["renders"][part]
        return {name: measured[name][key] for name in names if name in measured}

    rows = {
        "time of a crop, 2 threads, ms ↓": {n: networks["time"][HAND_OF.get(n, n)]["2 threads"]["ms"] for n in names},
        "ti1k photos: median error of two fingertips, % of the hand's box ↓": figures(datasets, "ti1k", TIP_ERROR),
        "ti1k clips: the same ↓": figures(datasets, "ti1k_clips", TIP_ERROR),
        "ti1k clips: mean error of two fingertips, % of the hand's box ↓": figures(
            datasets, "ti1k_clips", "mean error of fingertips, found hands"
        ),
        "small hands in motion (moving_hand): median error, % of the palm ↓": figures(
            datasets, "moving_hand", TIP_ERROR
        ),
        "signing people: left or right correct, % ↑": figures(
            datasets, "asl_clips", "left or right correct, found hands"
        ),
        "renders: error, % of the palm ↓": rendered("error"),
        "renders: error of fingertips, % of the palm ↓": rendered("tips"),
        "renders: error in space, mm ↓": rendered("world_mm"),
        "renders: left or right correct, % ↑": rendered("side"),
        "renders with gloves: error, % of the palm ↓": rendered("error", "glove"),
        "hand-free crops taken for hands, % ↓": {n: networks["free"][n][0] for n in names if n in networks["free"]},
    }
    return card(rows, names)


def palm_card(palms: dict[str, Any], *runs: list[dict[str, Any]]) -> str:
    """The palm networks' card: a row per figure, a column per network; the last rows show whole bundles."""
    names = palms["models"]
    found, offices = palms["box_sizes"], palms["free"]["office_no_hands"]
    rows = {
        "time of a picture, 2 threads, ms ↓": {n: palms["time"][n]["2 threads"]["ms"] for n in names},
        "held-out photos, hands above 16 % of the side: palms found, % ↑": {n: recall(found[n], NEAR) for n in names},
        "held-out clips, hands of 4 to 16 %: palms found, % ↑": {n: recall(found[n], FAR) for n in names},
        "rendered scenes: AP at IoU 0.5 ↑": {n: palms["scenes"][n]["ap"] for n in names},
        "rendered scenes: error of key points, % of the palm ↓": {n: palms["scenes"][n]["keypoints"] for n in names},
        f"{offices['pictures']} photos of offices: false palms ↓": {n: offices[n]["palms"] for n in names},
        "the same: false hands ↓": {n: offices[n]["hands"] for n in names},
        "signing people: hands found, % ↑": of_all(runs, "asl_clips", "hands found"),
        "ti1k: hands found, % ↑": of_all(runs, "ti1k", "hands found"),
    }
    return card(rows, ["knuckle", *names])


def card(rows: Mapping[str, Mapping[str, float]], models: list[str]) -> str:
    """A table of figures; what was not measured is a dash."""
    lines = [f"| | {' | '.join(f'`{name}`' for name in models)} |", f"|---|{'---|' * len(models)}"]
    for title, values in rows.items():
        cells = [f"{round(values[name], 2):.3g}" if name in values else "–" for name in models]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def recall(found: dict[str, Any], sizes: tuple[str, ...]) -> float:
    """Percent of the boxed hands of these sizes whose palm is found."""
    hands = sum(found[size]["hands"] for size in sizes)
    return float(sum(found[size]["hands"] * found[size]["recall"] for size in sizes) / hands)


def ablation(entry: dict[str, Any], titles: Mapping[str, str]) -> str:
    """A row per trained network, a column per figure and dataset that it was judged on."""
    checks = list(entry["rows"][0]["figures"])
    columns = [(c, key) for c in checks for key in titles if key in entry["rows"][0]["figures"][c]]
    lines = [
        f"| | {' | '.join(f'{check}: {titles[key]}' for check, key in columns)} |",
        "|---|" + "---|" * len(columns),
    ]
    for row in entry["rows"]:
        values = [row["figures"][check][key] for check, key in columns]
        lines.append(f"| {row['name']} | {' | '.join('–' if v is None else f'{v:.3g}' for v in values)} |")
    return f"{entry['steps']} steps of {entry['batch']}, one seed.\n\n" + "\n".join(lines)


def times(found: dict[str, Any]) -> str:
    """Milliseconds of a crop, and the ratio to the first network's."""
    settings = list(next(iter(found.values())))
    lines = [f"| | {' | '.join(settings)} |", f"|---|{'---|' * len(settings)}"]
    for name, by_setting in found.items():
        lines.append(f"| `{name}` | {' | '.join(map(time_cell, by_setting.values()))} |")
    return "\n".join(lines)


def time_cell(cell: dict[str, float]) -> str:
    return f"{cell['ms']:.2f} ms, {cell['ratio']:.2f}× ({cell['low']:.2f}–{cell['high']:.2f})"


def free(found: dict[str, Any]) -> str:
    """Share of hand-free crops with a hand, with its interval."""
    lines = [f"| crops of {found['photos']} photos, {found['crops_per_photo']} each | with a hand |", "|---|---|"]
    for name in (name for name in NAMES if name in found):
        value, low, high = found[name]
        lines.append(f"| {NAMES[name]} | {value:.2f} % ({low:.2f}–{high:.2f}) |")
    return "\n".join(lines)


def shapes(found: dict[str, Any]) -> str:
    """Multiply-adds and time of each shape."""
    settings = list(next(iter(found["time"].values())))
    lines = [f"| | multiply-adds | {' | '.join(settings)} |", f"|---|---|{'---|' * len(settings)}"]
    for name, entry in found["shapes"].items():
        cells = map(time_cell, found["time"][name].values())
        lines.append(f"| {name} | {entry['multiply_adds_m']:.0f} M | {' | '.join(cells)} |")
    return "\n".join(lines)


def boxes(found: dict[str, Any], models: list[str]) -> str:
    """Palms found in people's boxes, by source, with intervals."""
    lines = [
        f"| held out | hands | {' | '.join(f'`{name}`' for name in models)} |",
        f"|---|---|{'---|' * len(models)}",
    ]
    for source, by_model in found.items():
        cells = []
        for name in models:
            value, low, high = by_model[name]["recall"]
            cells.append(f"{value:.1f} ({low:.1f}–{high:.1f}); AP {by_model[name]['ap']:.1f}")
        lines.append(f"| {source} | {by_model[models[0]]['hands']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def box_sizes(found: dict[str, Any]) -> str:
    """Share of people's boxes that are found, by their size, per network."""
    hands = [next(iter(found.values()))[key]["hands"] for key in SIZES]
    titles = [f"{title} ({count})" for title, count in zip(SIZES.values(), hands, strict=True)]
    lines = [f"| | {' | '.join(titles)} |", f"|---|{'---|' * len(titles)}"]
    for name, sizes in found.items():
        cells = ["–" if sizes[key]["recall"] is None else f"{sizes[key]['recall']:.1f}" for key in SIZES]
        lines.append(f"| `{name}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def scenes(found: dict[str, Any]) -> str:
    """AP and share found of rendered hands by size, per network."""
    lines = [
        f"| | all | {' | '.join(SIZES.values())} | key points, % of palm |",
        f"|---|---|{'---|' * len(SIZES)}---|",
    ]
    for name, figures in found.items():
        cells = [
            f"{figures[f'ap{key}']:.1f} ({figures[f'recall{key}']:.1f})" for key in ("", *(f"_{k}" for k in SIZES))
        ]
        lines.append(f"| `{name}` | {' | '.join(cells)} | {figures['keypoints']:.1f} |")
    return "\n".join(lines)


def alarms(found: dict[str, Any], models: list[str]) -> str:
    """Palms where no hand is, per 1000 pictures: as they are given, those that are tried, those that become hands."""
    lines = [f"| | pictures | {' | '.join(f'`{name}`' for name in models)} |", f"|---|---|{'---|' * len(models)}"]
    for place, entry in found.items():
        count = entry["pictures"]
        kinds = ("palms", "tried", "hands")
        cells = [", ".join(f"{1000 * entry[name][kind] / count:.0f}" for kind in kinds) for name in models]
        lines.append(f"| {place} | {count} | {' | '.join(cells)} |")
    return "\n".join(lines)


def browser(report: dict[str, Any]) -> str:
    """A row per case, a column per system, with the ratios to the last one (median, least and most of the rounds)."""
    systems = list(report["rows"][0]["ms"])
    special = {
        "knuckle, float": "Knuckle, bundle `knuckle`, float",
        "knuckle, int8": "Knuckle, bundle `knuckle`, int8",
        "knuckle, drop-in": "`knuckle-web/tasks-vision`",
    }
    titles = [*(special.get(name, f"Knuckle, bundle `{name}`") for name in systems[:-1]), report["reference"]]
    lines = [f"| | {' | '.join(titles)} |", "|---|" + "---|" * len(systems)]
    for row in report["rows"]:
        cells = []
        for system in systems:
            cell = f"{row['ms'][system]:.1f} ms"
            if hands := row.get("hands"):
                cell += f", {hands[system]} hands"
            if ratios := row["ratios"].get(system):
                cell += f", **{median(ratios):.1f}×** ({ratios[0]:.1f}–{ratios[-1]:.1f})"
            cells.append(cell)
        lines.append(f"| {row['name']} | {' | '.join(cells)} |")
    sizes = (f"{report['download_mb'][system]} MB" for system in systems)
    return "\n".join([*lines, f"| download (Brotli) | {' | '.join(sizes)} |"])


def browser_int8(report: dict[str, Any]) -> str:
    """A row per browser and number of threads: times of both forms, and how much faster int8 is."""
    lines = ["| one hand tracked | float, ms | int8, ms | int8 is faster by |", "|---|---|---|---|"]
    for found in report.values():
        for row in found["rows"]:
            ratios = sorted(row["int8_is_faster"])
            place = f"{found['version'].replace('/', ' ')}, {row['threads']} thread{'s' * (row['threads'] > 1)}"
            times = f"{row['ms']['float']:.1f} | {row['ms']['int8']:.1f}"
            lines.append(f"| {place} | {times} | **{median(ratios):.2f}×** ({ratios[0]:.2f}–{ratios[-1]:.2f}) |")
    return "\n".join(lines)


def phone(report: dict[str, Any]) -> str:
    """Frames per second of each network: a row per place where the tracker ran, a column per network."""
    rates: dict[str, dict[str, float]] = {}
    for row in report["rows"]:
        network, _, place = row["name"].partition(", ")
        rates.setdefault(place, {})[network] = row["frames_per_s"]
    lines = ["| two hands, 640x400 | int8, frames per second | float, frames per second |", "|---|---|---|"]
    lines += [f"| {place} | {found['int8']:.1f} | {found['float']:.1f} |" for place, found in rates.items()]
    return "\n".join(lines)


def draw_curves(entry: dict[str, Any], path: Path) -> None:
    """Precision over recall of each row of the ablation, one pair of axes per dataset."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    checks = list(entry["rows"][0]["figures"])
    with rc_context({"svg.hashsalt": path.stem, "font.size": 9}):
        figure = Figure(figsize=(4.2 * len(checks), 3.2), layout="constrained")
        for check, axes in zip(checks, figure.subplots(1, len(checks), squeeze=False)[0], strict=True):
            for row, dashes in zip(entry["rows"], ("-", "--", ":"), strict=True):
                curve = row["figures"][check]["curve"]
                recall = [100 * float(key) for key in curve]
                axes.plot(recall, [100 * value for value in curve.values()], dashes, label=row["name"], linewidth=1.6)
            axes.set(title=check, xlabel="recall, %", ylabel="precision, %", xlim=(0, 100), ylim=(0, 101))
            axes.grid(True, linewidth=0.4)
            axes.legend(frameon=False, loc="upper right")
        figure.savefig(path, metadata={"Date": None, "Creator": None})


def renders(found: dict[str, Any], models: list[str]) -> str:
    """One row per slice: errors and shares of each network."""
    columns = {"error": "error, % of palm", "tips": "tips, %", "world_mm": "in space, mm", "present": "seen, %"}
    columns |= {"side": "side right, %"}
    order = [name for name in NAMES if name in models]
    lines = [
        f"| slice | n | {' | '.join(columns.values())} |",
        f"|---|---|{'---|' * len(columns)}",
    ]
    for name, entry in found.items():
        cells = [" / ".join(f"{entry[model][key]:.1f}" for model in order) for key in columns]
        lines.append(f"| {name} | {entry['count']} | {' | '.join(cells)} |")
    return f"In each cell: {' / '.join(NAMES[name] for name in order)}.\n\n" + "\n".join(lines)


def accuracy(datasets: list[dict[str, Any]]) -> str:
    """The tables of `docs/accuracy.md` for this bundle, beside `mediapipe`; slices are in the table of renders."""
    parts = []
    for dataset in datasets:
        tables = [table for table in dataset["tables"] if table["title"] in ("images", "video")]
        parts.append(section(dataset | {"tables": tables}, {**NAMES, MIXED: "ours"}).replace("## ", "#### ", 1))
    return "\n\n".join(parts)


if __name__ == "__main__":
    main()
