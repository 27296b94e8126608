// Knuckle's hand tracker in one file: ids, smoothing, when to search for hands, where to look for them in the next frame.
//
// It needs nothing but Swift and Foundation. Give it the hands of MediaPipe's HandLandmarker (`update`), or your own two
// networks (`track`). It is the same as `src/knuckle/pipeline` in Python; `mobile/replays.json` holds for both. Apache-2.0.

import Foundation

let MATCH_DISTANCE = 2.0
let MATCH_DISTANCE_PER_S = 30.0
let OTHER_HANDEDNESS_PENALTY = 1.5
let VOTES = 30
let NOISE_SPEED_PER_S = 1.5
let EXTRAPOLATE_S = 0.1
let MIN_MATCH_S = 1.0
let SAME_SHAPE = 0.02
let MIN_CUTOFF_HZ = 1.0
let BETA_HZ_PER_SPEED = 12.0
let CENTRE_BETA_HZ_PER_SPEED = 45.0
let SPEED_CUTOFF_HZ = 1.0
let SEARCHES_PER_S = 5.0
let EAGER_S = 0.2
let TRIED_PALMS_PER_SLOT = 2
let FRAME_S = 1.0 / 30
let USUAL_STEPS = 30
let BELIEVED_PART = 0.5
let GUESSED_PART = 0.9
let MIN_USUAL_S = 1.0 / 240
let MAX_USUAL_S = 1.0
let MAX_AHEAD_S = 2.0

/// Landmarks that move little when fingers bend.
private let steady = [0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18]

/// The hand landmarks that are the seven key points of a palm.
private let palmLandmarks = [0, 5, 9, 13, 17, 1, 2]

/// A square region of the image in pixels. Its angle is 0 when the fingers point up; clockwise on screen is positive.
public struct Region {
    public var x: Double
    public var y: Double
    public var size: Double
    public var angleRad: Double
}

/// A palm: box x0, y0, x1, y1 and seven key points x, y in image pixels; score 0..1.
public struct Palm {
    public let box: [Double]
    public let keypoints: [Double]
    public let score: Double

    public init(box: [Double], keypoints: [Double], score: Double) {
        self.box = box
        self.keypoints = keypoints
        self.score = score
    }
}

/// One hand in one image.
public struct Hand {
    /// x, y, z of 21 points in image pixels; smoothed in the tracker's results.
    public var landmarks: [Double]
    /// x, y, z of the same points in metres.
    public var world: [Double]
    public var isLeft: Bool
    /// Confidence in `isLeft`, 0.5..1.
    public var handednessScore: Double
    /// Confidence that there is a hand, 0..1.
    public var presence: Double
    /// Score of the palm that led to the hand; nil if there was none.
    public var palmScore: Double?
    /// The number of the same hand throughout a video.
    public var trackId: Int?
    /// The landmarks before smoothing.
    public var raw: [Double]

    public init(landmarks: [Double], world: [Double], isLeft: Bool, handednessScore: Double, presence: Double = 1) {
        self.landmarks = landmarks
        self.world = world
        self.isLeft = isLeft
        self.handednessScore = handednessScore
        self.presence = presence
        self.raw = landmarks
    }

    var left: Double { isLeft ? handednessScore : 1 - handednessScore }
}

/// What can be chosen, as `knuckle.TrackerOptions`; the defaults are those of the bundle `knuckle`.
public struct TrackerOptions {
    public var maxHands: Int = 2
    public var minPalmScore: Double = 0.5
    public var faintPalms: Double = 0.32
    public var minPresence: Double = 0.5
    public var minNewConfidence: Double = 0.832
    public var minFaintConfidence: Double = 0.943
    public var secondLook: Bool = true
    public var searchEvery: Int? = nil
    public var smooth: Bool = true
    public var predictMotion: Bool = true
    public var voteHandedness: Bool = true
    public var removeDuplicates: Bool = true
    public var rememberS: Double = 1.0

    public init() {}
}

/// The two networks for one image.
public protocol HandModels {
    /// Palms that score at least `minScore`, best first.
    func palms(minScore: Double) -> [Palm]

    /// One hand for each region, in this order, with any presence; nil scores of palms.
    func hands(regions: [Region]) -> [Hand]
}

/// Tracks hands through a video. Times are in seconds; sizes and points in pixels of the image.
public final class HandTracker {
    public let options: TrackerOptions
    private var clock = Clock()
    private var tracks: [Track] = []
    private var nextId = 1
    private var timeS = -Double.infinity
    private var sinceSearch = 0
    private var searchedS = -Double.infinity
    private var changedS = -Double.infinity
    private var size: (width: Int, height: Int)?

    public init(options: TrackerOptions = TrackerOptions()) {
        self.options = options
    }

    private var held: [Track] { tracks.filter { $0.seenS == timeS } }

    /// The tracked hands of a frame whose hands something else has found, such as MediaPipe's HandLandmarker.
    public func update(stampS: Double, width: Int, height: Int, hands: [Hand]) -> [Hand] {
        let now = clock.tick(stampS)
        resize(width, height)
        remember(unique(hands), searched: true, now)
        return current()
    }

    /// The hands of a frame: tracked hands are read where they should be now; palms are searched for when hands are missing.
    public func track(stampS: Double, width: Int, height: Int, models: HandModels) -> [Hand] {
        let now = clock.tick(stampS)
        resize(width, height)
        let kept = unique(read(models, held.map { expected($0, now) }, options.minPresence))
        let searching = shouldSearch(kept, now)
        var found: [Hand] = []
        if searching {
            let palms = models.palms(minScore: options.faintPalms * options.minPalmScore)
            let tried = newPalms(palms, kept)
            found = verified(models, read(models, tried.map(region(of:)), options.minPresence, tried.map { $0.score }))
        }
        remember(unique(kept + found), searched: searching, now)
        return current()
    }

    /// Forget all hands; ids start at 1 again.
    public func reset() {
        clock = Clock()
        tracks = []
        nextId = 1
        timeS = -Double.infinity
        sinceSearch = 0
        searchedS = -Double.infinity
        changedS = -Double.infinity
        size = nil
    }

    private func read(
        _ models: HandModels, _ regions: [Region], _ minPresence: Double, _ palmScores: [Double?]? = nil
    ) -> [Hand] {
        if regions.isEmpty { return [] }
        var hands = models.hands(regions: regions)
        for i in hands.indices { hands[i].palmScore = palmScores?[i] }
        return hands.filter { $0.presence > minPresence }
    }

    /// New hands that are kept: read again where their landmarks are, and certain enough, the more so if their palm was faint.
    private func verified(_ models: HandModels, _ found: [Hand]) -> [Hand] {
        let scores = found.map { $0.palmScore }
        let again = options.secondLook ? read(models, found.map { region(of: $0.raw) }, -1, scores) : found
        let leastOfFaint = max(options.minNewConfidence, options.minFaintConfidence)
        return zip(found, again).filter { first, last in
            guard last.presence > options.minPresence else { return false }
            guard let score = last.palmScore else { return true }
            let least = score < options.minPalmScore ? leastOfFaint : options.minNewConfidence
            return together(score, first.presence, last.presence) > least
        }.map { $0.1 }
    }

    private func shouldSearch(_ kept: [Hand], _ now: Double) -> Bool {
        if kept.count >= options.maxHands { return false }
        if kept.count < max(1, held.count) { return true }
        if let every = options.searchEvery { return sinceSearch >= every }
        return now - changedS < EAGER_S || now - searchedS > 1 / SEARCHES_PER_S - FRAME_S / 4
    }

    private func newPalms(_ palms: [Palm], _ kept: [Hand]) -> [Palm] {
        let room = max(options.maxHands - kept.count, 0)
        let new = palms.filter { palm in !kept.contains { isPalm(palm, of: $0) } }
        return Array(new.prefix(options.faintPalms < 1 ? TRIED_PALMS_PER_SLOT * room : room))
    }

    private func unique(_ hands: [Hand]) -> [Hand] {
        if !options.removeDuplicates { return Array(hands.prefix(options.maxHands)) }
        var kept: [Hand] = []
        for hand in hands {
            let faint = (hand.palmScore ?? 1) < options.minPalmScore
            if !kept.contains(where: { isSame(hand, $0) || (faint && lies(hand, in: $0)) }) { kept.append(hand) }
        }
        return Array(kept.prefix(options.maxHands))
    }

    /// Each hand goes to its track or begins a new one; tracks that are lost for too long are forgotten.
    private func remember(_ hands: [Hand], searched: Bool, _ now: Double) {
        let before = held
        let heldIds = Set(before.map { $0.id })
        let known = tracks.filter {
            now - $0.seenS <= (heldIds.contains($0.id) ? max(options.rememberS, MIN_MATCH_S) : options.rememberS)
        }
        let owners = match(known, hands, now)
        var seen: [Track] = []
        for (hand, owner) in zip(hands, owners) {
            if let owner = owner {
                seen.append(owner.seenAgain(hand, now, wasHeld: heldIds.contains(owner.id)))
            } else {
                seen.append(Track(beginning: nextId, hand, now))
                nextId += 1
            }
        }
        let owned = Set(owners.compactMap { $0?.id })
        let lost = tracks.filter { !owned.contains($0.id) && now - $0.seenS <= options.rememberS }
        if Set(seen.map { $0.id }) != heldIds { changedS = now }
        tracks = (seen + lost).sorted { $0.id < $1.id }
        timeS = now
        sinceSearch = searched ? 1 : sinceSearch + 1
        if searched { searchedS = now }
    }

    private func current() -> [Hand] {
        held.map { track in
            var hand = track.hand
            hand.trackId = track.id
            if options.voteHandedness {
                hand.isLeft = track.left >= 0.5
                hand.handednessScore = max(track.left, 1 - track.left)
            }
            if options.smooth {
                hand.landmarks = track.landmarks.value
                hand.world = track.world.value
            }
            return hand
        }
    }

    /// A video that changes its size shows the same view in other pixels, unless its shape changes too.
    private func resize(_ width: Int, _ height: Int) {
        if let before = size {
            let scale = Double(width) / Double(before.width)
            let isSameShape = abs(Double(height) / Double(before.height) / scale - 1) < SAME_SHAPE
            if scale != 1 && isSameShape { tracks = tracks.map { $0.scaled(scale) } }
        }
        size = (width, height)
    }

    private func expected(_ track: Track, _ now: Double) -> Region {
        var moved = region(of: track.hand.raw)
        if !options.predictMotion { return moved }
        let (dx, dy) = track.moved(now)
        let speed = hypot(track.velocity.x, track.velocity.y) / baseline(track.hand)
        let sure = max(0, 1 - NOISE_SPEED_PER_S / max(speed, 1e-9))
        moved.x += sure * dx
        moved.y += sure * dy
        return moved
    }
}

/// One hand through time.
private struct Track {
    let id: Int
    var hand: Hand
    let seenS: Double
    var velocity: (x: Double, y: Double)
    let left: Double
    let votes: Int
    var landmarks: SmoothedHand
    let world: Smoothed

    init(beginning id: Int, _ hand: Hand, _ now: Double) {
        self.id = id
        self.hand = hand
        seenS = now
        velocity = (0, 0)
        left = hand.left
        votes = 1
        landmarks = SmoothedHand(after: nil, hand.raw, now, baseline(hand))
        world = Smoothed(after: nil, hand.world, now, worldSize(hand))
    }

    private init(_ before: Track, _ hand: Hand, _ now: Double, _ velocity: (x: Double, y: Double), wasHeld: Bool) {
        id = before.id
        self.hand = hand
        self.hand.palmScore = hand.palmScore ?? before.hand.palmScore
        seenS = now
        self.velocity = velocity
        votes = min(before.votes + 1, VOTES)
        left = before.left + (hand.left - before.left) / Double(votes)
        landmarks = SmoothedHand(after: wasHeld ? before.landmarks : nil, hand.raw, now, baseline(hand))
        world = Smoothed(after: wasHeld ? before.world : nil, hand.world, now, worldSize(hand))
    }

    /// How far it should have moved since it was seen.
    func moved(_ now: Double) -> (Double, Double) {
        let elapsed = min(now - seenS, EXTRAPOLATE_S)
        return (velocity.x * elapsed, velocity.y * elapsed)
    }

    func seenAgain(_ hand: Hand, _ now: Double, wasHeld: Bool) -> Track {
        var (x, y) = (0.0, 0.0)
        if wasHeld {
            for i in steady {
                x += hand.raw[3 * i] - self.hand.raw[3 * i]
                y += hand.raw[3 * i + 1] - self.hand.raw[3 * i + 1]
            }
            let scale = Double(steady.count) * (now - seenS)
            (x, y) = (x / scale, y / scale)
        }
        return Track(self, hand, now, (x, y), wasHeld: wasHeld)
    }

    /// The same in an image that is `scale` times as large. Pixel centres are whole numbers, so places shift as well.
    func scaled(_ scale: Double) -> Track {
        func placed(_ points: [Double]) -> [Double] {
            points.enumerated().map { $1 * scale + ($0 % 3 < 2 ? (scale - 1) / 2 : 0) }
        }
        func times(_ points: [Double]) -> [Double] { points.map { $0 * scale } }
        var track = self
        track.hand.landmarks = placed(hand.landmarks)
        track.hand.raw = placed(hand.raw)
        track.velocity = (velocity.x * scale, velocity.y * scale)
        track.landmarks.value = placed(landmarks.value)
        track.landmarks.centre.value = placed(landmarks.centre.value)
        track.landmarks.centre.speed = times(landmarks.centre.speed)
        track.landmarks.shape.value = times(landmarks.shape.value)
        track.landmarks.shape.speed = times(landmarks.shape.speed)
        return track
    }
}

/// The track of each hand, nearest pairs first; nil where no track is in reach.
private func match(_ tracks: [Track], _ hands: [Hand], _ now: Double) -> [Track?] {
    var pairs: [(cost: Double, track: Int, hand: Int)] = []
    for (t, track) in tracks.enumerated() {
        let (dx, dy) = track.moved(now)
        for (h, hand) in hands.enumerated() {
            var gap = 0.0
            for i in steady {
                gap += hypot(hand.raw[3 * i] - track.hand.raw[3 * i] - dx, hand.raw[3 * i + 1] - track.hand.raw[3 * i + 1] - dy)
            }
            let distance = gap / Double(steady.count) / max(baseline(track.hand), baseline(hand))
            let disagreement = abs(hand.left - track.left)
            if distance <= MATCH_DISTANCE + MATCH_DISTANCE_PER_S * (now - track.seenS) * (1 - disagreement) {
                pairs.append((distance + OTHER_HANDEDNESS_PENALTY * disagreement, t, h))
            }
        }
    }
    var owners = [Track?](repeating: nil, count: hands.count)
    var taken = Set<Int>()
    for pair in pairs.sorted(by: { ($0.cost, $0.track, $0.hand) < ($1.cost, $1.track, $1.hand) })
    where owners[pair.hand] == nil && !taken.contains(pair.track) {
        owners[pair.hand] = tracks[pair.track]
        taken.insert(pair.track)
    }
    return owners
}

/// The probability that independent probabilities stand for together: their odds multiplied.
private func together(_ probabilities: Double...) -> Double {
    let odds = probabilities.reduce(1) { $0 * $1 / max(1 - $1, 1e-6) }
    return odds / (1 + odds)
}

/// The region around a hand, from its palm: 2.6 times the box, moved towards the fingers by half a box.
public func region(of palm: Palm) -> Region {
    let (box, k) = (palm.box, palm.keypoints)
    let angle = wrapped(Double.pi / 2 - atan2(-(k[5] - k[1]), k[4] - k[0]))
    let (dx, dy) = turned(0, -0.5 * (box[3] - box[1]), angle)
    let side = 2.6 * max(box[2] - box[0], box[3] - box[1])
    return Region(x: (box[0] + box[2]) / 2 + dx, y: (box[1] + box[3]) / 2 + dy, size: side, angleRad: angle)
}

/// The region around a hand, from its 21 landmarks: twice the box of the steady points along the hand's direction.
public func region(of p: [Double]) -> Region {
    // Between the MCP joints of index, middle and ring finger.
    func end(_ k: Int) -> Double { ((p[15 + k] + p[39 + k]) / 2 + p[27 + k]) / 2 }
    let angle = wrapped(Double.pi / 2 - atan2(-(end(1) - p[1]), end(0) - p[0]))
    let points = steady.map { turned(p[3 * $0], p[3 * $0 + 1], -angle) }
    let (xs, ys) = (points.map { $0.0 }, points.map { $0.1 })
    let (x0, x1, y0, y1) = (xs.min()!, xs.max()!, ys.min()!, ys.max()!)
    let (x, y) = turned((x0 + x1) / 2, (y0 + y1) / 2 - 0.1 * (y1 - y0), angle)
    return Region(x: x, y: y, size: 2 * max(x1 - x0, y1 - y0), angleRad: angle)
}

private func turned(_ x: Double, _ y: Double, _ angle: Double) -> (Double, Double) {
    (x * cos(angle) - y * sin(angle), x * sin(angle) + y * cos(angle))
}

private func wrapped(_ angle: Double) -> Double {
    angle - 2 * Double.pi * floor((angle + Double.pi) / (2 * Double.pi))
}

/// The longest side of the triangle wrist, index MCP, pinky MCP: the unit of distance.
private func baseline(_ hand: Hand) -> Double {
    func side(_ i: Int, _ j: Int) -> Double {
        hypot(hand.raw[3 * i] - hand.raw[3 * j], hand.raw[3 * i + 1] - hand.raw[3 * j + 1])
    }
    return max(side(0, 5), side(5, 17), side(17, 0), 1e-3)
}

private func worldSize(_ hand: Hand) -> Double {
    let w = hand.world
    let size = sqrt(pow(w[0] - w[27], 2) + pow(w[1] - w[28], 2) + pow(w[2] - w[29], 2))
    return size > 0 ? size : 1
}

private func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }

private func isPalm(_ palm: Palm, of hand: Hand) -> Bool {
    let gaps = palmLandmarks.enumerated().map { k, i in
        hypot(palm.keypoints[2 * k] - hand.raw[3 * i], palm.keypoints[2 * k + 1] - hand.raw[3 * i + 1])
    }
    return mean(gaps) < 0.5 * baseline(hand)
}

private func box(of hand: Hand) -> [Double] {
    let xs = (0...20).map { hand.landmarks[3 * $0] }
    let ys = (0...20).map { hand.landmarks[3 * $0 + 1] }
    return [xs.min()!, ys.min()!, xs.max()!, ys.max()!]
}

/// Whether the middle of a hand's palm lies in another's box.
private func lies(_ hand: Hand, in other: Hand) -> Bool {
    let x = mean(palmLandmarks.map { hand.raw[3 * $0] })
    let y = mean(palmLandmarks.map { hand.raw[3 * $0 + 1] })
    let box = box(of: other)
    return box[0] <= x && x <= box[2] && box[1] <= y && y <= box[3]
}

/// Whether two hands are one: 10 of 21 landmarks within 0.2 baselines, and boxes that overlap by more than 0.2.
private func isSame(_ one: Hand, _ other: Hand) -> Bool {
    let reach = 0.2 * max(baseline(one), baseline(other))
    let near = (0...20).filter {
        hypot(one.raw[3 * $0] - other.raw[3 * $0], one.raw[3 * $0 + 1] - other.raw[3 * $0 + 1]) < reach
    }
    return near.count >= 10 && overlap(box(of: one), box(of: other)) > 0.2
}

/// Intersection over union of two boxes x0, y0, x1, y1.
func overlap(_ a: [Double], _ b: [Double]) -> Double {
    let shared = max(0, min(a[2], b[2]) - max(a[0], b[0])) * max(0, min(a[3], b[3]) - max(a[1], b[1]))
    let all = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return all > 0 ? shared / all : 0
}

/// The One-Euro filter (Casiez, Roussel and Vogel, CHI 2012) on points x, y, z.
private struct Smoothed {
    var value: [Double]
    var speed: [Double]
    let timeS: Double

    init(after before: Smoothed?, _ points: [Double], _ timeS: Double, _ unit: Double, _ beta: Double = BETA_HZ_PER_SPEED) {
        self.timeS = timeS
        value = points
        speed = [Double](repeating: 0, count: points.count)
        guard let before = before, timeS > before.timeS else { return }
        let elapsed = timeS - before.timeS
        func blend(_ cutoffHz: Double) -> Double { 1 / (1 + 1 / (2 * Double.pi * cutoffHz * elapsed)) }
        for i in stride(from: 0, to: points.count, by: 3) {
            for k in i..<i + 3 {
                let measured = (points[k] - before.value[k]) / elapsed
                speed[k] = before.speed[k] + blend(SPEED_CUTOFF_HZ) * (measured - before.speed[k])
            }
            let norm = sqrt(speed[i] * speed[i] + speed[i + 1] * speed[i + 1] + speed[i + 2] * speed[i + 2])
            let weight = blend(MIN_CUTOFF_HZ + beta / unit * norm)
            for k in i..<i + 3 { value[k] = before.value[k] + weight * (points[k] - before.value[k]) }
        }
    }
}

/// A filtered hand: its centre and its shape have filters of their own.
private struct SmoothedHand {
    var value: [Double]
    var centre: Smoothed
    var shape: Smoothed

    init(after before: SmoothedHand?, _ points: [Double], _ timeS: Double, _ unit: Double) {
        let centreOfAll = (0..<3).map { k in mean((0...20).map { points[3 * $0 + k] }) }
        let about = points.enumerated().map { $1 - centreOfAll[$0 % 3] }
        centre = Smoothed(after: before?.centre, centreOfAll, timeS, unit, CENTRE_BETA_HZ_PER_SPEED)
        shape = Smoothed(after: before?.shape, about, timeS, unit)
        value = points
        if before != nil { for i in points.indices { value[i] = shape.value[i] + centre.value[i % 3] } }
    }
}

/// From time stamps, which may be equal, go back or come in bursts, to times that always rise.
private struct Clock {
    var stampS = -Double.infinity
    var timeS = -Double.infinity
    var stepS = FRAME_S
    var steps = 1
    var offsetS = 0.0

    var usualS: Double { max(abs(stepS), MIN_USUAL_S) }

    mutating func tick(_ stamp: Double) -> Double {
        if stampS.isInfinite {
            timeS = stamp
        } else if stamp + offsetS < timeS - MAX_AHEAD_S {  // the stamps have gone back for good
            timeS += usualS
            offsetS = timeS - stamp
        } else {
            steps = min(steps + 1, USUAL_STEPS)
            stepS += (min(stamp - stampS, MAX_USUAL_S) - stepS) / Double(steps)
            let given = stamp + offsetS
            timeS = given < timeS + BELIEVED_PART * usualS ? timeS + GUESSED_PART * usualS : given
        }
        stampS = stamp
        return timeS
    }
}
