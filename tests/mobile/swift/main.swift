// Reads replays as numbers, plays them, and prints what the tracker asked and answered. test_mobile_trackers.py compares.
import Foundation

let words = String(data: FileHandle.standardInput.readDataToEndOfFile(), encoding: .utf8)!.split(whereSeparator: { $0.isWhitespace })
var next = 0

func number() -> Double {
    next += 1
    return Double(words[next - 1])!
}

func count() -> Int { Int(number()) }

func flag() -> Bool { count() == 1 }

func values(_ size: Int) -> [Double] { (0..<size).map { _ in number() } }

func list<T>(_ read: () -> T) -> [T] { (0..<count()).map { _ in read() } }

func hand() -> Hand {
    Hand(landmarks: values(63), world: values(63), isLeft: flag(), handednessScore: number(), presence: number())
}

func palm() -> Palm { Palm(box: values(4), keypoints: values(14), score: number()) }

final class Recorded: HandModels {
    let given: [Palm]
    let reads: [[Hand]]
    var searched = false
    var asked: [[Region]] = []

    init(_ given: [Palm], _ reads: [[Hand]]) {
        self.given = given
        self.reads = reads
    }

    func palms(minScore: Double) -> [Palm] {
        searched = true
        return given.filter { $0.score >= minScore }
    }

    func hands(regions: [Region]) -> [Hand] {
        asked.append(regions)
        return reads[asked.count - 1]
    }
}

var out = ""

func show(_ numbers: [Double]) {
    for one in numbers { out += String(format: "%.5f ", one) }
}

func readOptions() -> TrackerOptions {
    var options = TrackerOptions()
    options.maxHands = count()
    options.minPalmScore = number()
    options.faintPalms = number()
    options.minPresence = number()
    options.minNewConfidence = number()
    options.minFaintConfidence = number()
    options.secondLook = flag()
    let every = count()
    options.searchEvery = every < 0 ? nil : every
    options.smooth = flag()
    options.predictMotion = flag()
    options.voteHandedness = flag()
    options.removeDuplicates = flag()
    options.rememberS = number()
    return options
}

func play() {
    let isWhole = flag()
    let tracker = HandTracker(options: readOptions())
    for _ in 0..<count() {
        let (time, width, height) = (number(), count(), count())
        let hands: [Hand]
        if isWhole {
            let recorded = Recorded(list(palm), list { list(hand) })
            hands = tracker.track(stampS: time, width: width, height: height, models: recorded)
            show([recorded.searched ? 1 : 0, Double(recorded.asked.count)])
            for regions in recorded.asked {
                show([Double(regions.count)])
                for one in regions { show([one.x, one.y, one.size, one.angleRad]) }
            }
        } else {
            hands = tracker.update(stampS: time, width: width, height: height, hands: list(hand))
        }
        show([Double(hands.count)])
        for hand in hands {
            show([Double(hand.trackId!), hand.isLeft ? 1 : 0, hand.handednessScore])
            show(hand.landmarks)
            show(hand.world)
        }
    }
}

func decode() {
    let (width, height, minScore) = (count(), count(), number())
    var boxes = [Float](repeating: 0, count: 2016 * 18)
    var scores = [Float](repeating: -100, count: 2016)
    for _ in 0..<count() {
        let row = count()
        scores[row] = Float(number())
        for k in 0..<18 { boxes[18 * row + k] = Float(number()) }
    }
    let found = decodePalms(boxes: boxes, scores: scores, width: width, height: height, minScore: minScore)
    show([Double(found.count)])
    for palm in found { show([palm.score] + palm.box + palm.keypoints) }
}

for _ in 0..<count() { play() }
for _ in 0..<count() { decode() }
print(out)
