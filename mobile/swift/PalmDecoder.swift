// From the outputs of the palm network in a `.task` file (hand_detector.tflite) to palms in image pixels.
//
// The network takes the image in the middle of a black square of 192 x 192 RGB values from 0 to 1. Its outputs are boxes
// (2016, 18) and scores (2016, 1). The same as `src/knuckle/pipeline/palm.py`; `mobile/replays.json` holds for both.

import Foundation

let PALM_SIDE = 192
let SUPPRESS_IOU = 0.3
private let valuesPerAnchor = 18

/// Centres of the anchors: two per cell of 8 pixels, then six per cell of 16 pixels.
private let anchors: [(x: Double, y: Double)] = [(8, 2), (16, 6)].flatMap { stride, perCell in
    let cells = PALM_SIDE / stride
    return (0..<cells * cells).flatMap { cell in
        let centre = ((Double(cell % cells) + 0.5) * Double(stride), (Double(cell / cells) + 0.5) * Double(stride))
        return [(x: Double, y: Double)](repeating: centre, count: perCell)
    }
}

/// The palms of an image of this size, best first, that score at least `minScore`.
public func decodePalms(boxes: [Float], scores: [Float], width: Int, height: Int, minScore: Double) -> [Palm] {
    let side = Double(max(width, height))
    let scale = side / Double(PALM_SIDE)
    let (left, top) = ((Double(width) - side) / 2, (Double(height) - side) / 2)
    var found: [Palm] = []
    for i in scores.indices {
        let score = 1 / (1 + exp(-min(max(Double(scores[i]), -80), 80)))
        if score < minScore { continue }
        let row = boxes[i * valuesPerAnchor..<(i + 1) * valuesPerAnchor].map(Double.init)
        func x(_ k: Int) -> Double { (row[k] + anchors[i].x) * scale + left }
        func y(_ k: Int) -> Double { (row[k] + anchors[i].y) * scale + top }
        let (halfX, halfY) = (row[2] * scale / 2, row[3] * scale / 2)
        if halfX <= 0 || halfY <= 0 { continue }
        let box = [x(0) - halfX, y(1) - halfY, x(0) + halfX, y(1) + halfY]
        found.append(Palm(box: box, keypoints: (0..<14).map { $0 % 2 == 0 ? x(4 + $0) : y(4 + $0) }, score: score))
    }
    return suppressed(found)
}

/// Each group of overlapping palms becomes its score-weighted mean, with the best score.
private func suppressed(_ palms: [Palm]) -> [Palm] {
    var rest = palms.sorted { $0.score > $1.score }
    var merged: [Palm] = []
    while let best = rest.first {
        let near = rest.enumerated().map { $0 == 0 || overlap(best.box, $1.box) > SUPPRESS_IOU }
        let group = zip(rest, near).filter { $1 }.map { $0.0 }
        let total = group.reduce(0) { $0 + $1.score }
        func mean(_ values: (Palm) -> [Double]) -> [Double] {
            values(best).indices.map { k in group.reduce(0) { $0 + values($1)[k] * $1.score } / total }
        }
        merged.append(Palm(box: mean { $0.box }, keypoints: mean { $0.keypoints }, score: best.score))
        rest = zip(rest, near).filter { !$1 }.map { $0.0 }
    }
    return merged
}
