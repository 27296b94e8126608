/**
 * Knuckle's hand tracker in one file: ids, smoothing, when to search for hands, where to look for them in the next frame.
 *
 * It needs nothing but Kotlin. Give it the hands of MediaPipe's HandLandmarker (`update`), or your own two networks
 * (`track`). It is the same as `src/knuckle/pipeline` in Python; `mobile/replays.json` holds for both. Apache-2.0.
 */
package app.knuckle

import kotlin.math.PI
import kotlin.math.abs
import kotlin.math.atan2
import kotlin.math.cos
import kotlin.math.floor
import kotlin.math.hypot
import kotlin.math.max
import kotlin.math.min
import kotlin.math.sin
import kotlin.math.sqrt

const val MATCH_DISTANCE = 2.0
const val MATCH_DISTANCE_PER_S = 30.0
const val OTHER_HANDEDNESS_PENALTY = 1.5
const val VOTES = 30
const val NOISE_SPEED_PER_S = 1.5
const val EXTRAPOLATE_S = 0.1
const val MIN_MATCH_S = 1.0
const val SAME_SHAPE = 0.02
const val MIN_CUTOFF_HZ = 1.0
const val BETA_HZ_PER_SPEED = 12.0
const val CENTRE_BETA_HZ_PER_SPEED = 45.0
const val SPEED_CUTOFF_HZ = 1.0
const val SEARCHES_PER_S = 5.0
const val EAGER_S = 0.2
const val TRIED_PALMS_PER_SLOT = 2
const val FRAME_S = 1.0 / 30
const val USUAL_STEPS = 30
const val BELIEVED_PART = 0.5
const val GUESSED_PART = 0.9
const val MIN_USUAL_S = 1.0 / 240
const val MAX_USUAL_S = 1.0
const val MAX_AHEAD_S = 2.0

/** Landmarks that move little when fingers bend. */
private val STEADY = intArrayOf(0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18)

/** The hand landmarks that are the seven key points of a palm. */
private val PALM_LANDMARKS = intArrayOf(0, 5, 9, 13, 17, 1, 2)

/** A square region of the image in pixels. Its angle is 0 when the fingers point up; clockwise on screen is positive. */
data class Region(val x: Double, val y: Double, val size: Double, val angleRad: Double)

/** A palm: box x0, y0, x1, y1 and seven key points x, y in image pixels; score 0..1. */
class Palm(val box: DoubleArray, val keypoints: DoubleArray, val score: Double)

/**
 * One hand in one image.
 *
 * @property landmarks x, y, z of 21 points in image pixels; smoothed in the tracker's results.
 * @property world x, y, z of the same points in metres.
 * @property handednessScore confidence in `isLeft`, 0.5..1.
 * @property presence confidence that there is a hand, 0..1.
 * @property palmScore score of the palm that led to the hand; null if there was none.
 * @property trackId the number of the same hand throughout a video.
 * @property raw the landmarks before smoothing.
 */
class Hand(
    val landmarks: DoubleArray,
    val world: DoubleArray,
    val isLeft: Boolean,
    val handednessScore: Double,
    val presence: Double = 1.0,
    val palmScore: Double? = null,
    val trackId: Int? = null,
    val raw: DoubleArray = landmarks,
) {
    internal val left get() = if (isLeft) handednessScore else 1 - handednessScore

    internal fun with(
        landmarks: DoubleArray = this.landmarks,
        world: DoubleArray = this.world,
        left: Double? = null,
        palmScore: Double? = this.palmScore,
        trackId: Int? = this.trackId,
        raw: DoubleArray = this.raw,
    ) = Hand(
        landmarks, world, if (left == null) isLeft else left >= 0.5, if (left == null) handednessScore else max(left, 1 - left),
        presence, palmScore, trackId, raw,
    )
}

/** What can be chosen, as `knuckle.TrackerOptions`; the defaults are those of the bundle `knuckle`. */
data class TrackerOptions(
    val maxHands: Int = 2,
    val minPalmScore: Double = 0.5,
    val faintPalms: Double = 0.32,
    val minPresence: Double = 0.5,
    val minNewConfidence: Double = 0.832,
    val minFaintConfidence: Double = 0.943,
    val secondLook: Boolean = true,
    val searchEvery: Int? = null,
    val smooth: Boolean = true,
    val predictMotion: Boolean = true,
    val voteHandedness: Boolean = true,
    val removeDuplicates: Boolean = true,
    val rememberS: Double = 1.0,
)

/** The two networks for one image. */
interface HandModels {
    /** Palms that score at least `minScore`, best first. */
    fun palms(minScore: Double): List<Palm>

    /** One hand for each region, in this order, with any presence; null scores of palms. */
    fun hands(regions: List<Region>): List<Hand>
}

/** Tracks hands through a video. Times are in seconds; sizes and points in pixels of the image. */
class HandTracker(val options: TrackerOptions = TrackerOptions()) {
    private val clock = Clock()
    private var tracks = listOf<Track>()
    private var nextId = 1
    private var timeS = Double.NEGATIVE_INFINITY
    private var sinceSearch = 0
    private var searchedS = Double.NEGATIVE_INFINITY
    private var changedS = Double.NEGATIVE_INFINITY
    private var width = 0
    private var height = 0

    private val held get() = tracks.filter { it.seenS == timeS }

    /** The tracked hands of a frame whose hands something else has found, such as MediaPipe's HandLandmarker. */
    fun update(stampS: Double, width: Int, height: Int, hands: List<Hand>): List<Hand> {
        val now = clock.tick(stampS)
        resize(width, height)
        remember(unique(hands), true, now)
        return current()
    }

    /** The hands of a frame: tracked hands are read where they should be now; palms are searched for when hands are missing. */
    fun track(stampS: Double, width: Int, height: Int, models: HandModels): List<Hand> {
        val now = clock.tick(stampS)
        resize(width, height)
        val kept = unique(read(models, held.map { expected(it, now) }, options.minPresence))
        val searching = shouldSearch(kept, now)
        var found = listOf<Hand>()
        if (searching) {
            val palms = models.palms(options.faintPalms * options.minPalmScore)
            val tried = newPalms(palms, kept)
            found = verified(models, read(models, tried.map { regionOf(it) }, options.minPresence, tried.map { it.score }))
        }
        remember(unique(kept + found), searching, now)
        return current()
    }

    /** Forget all hands; ids start at 1 again. */
    fun reset() {
        clock.reset()
        tracks = listOf()
        nextId = 1
        timeS = Double.NEGATIVE_INFINITY
        sinceSearch = 0
        searchedS = Double.NEGATIVE_INFINITY
        changedS = Double.NEGATIVE_INFINITY
        width = 0
        height = 0
    }

    private fun read(
        models: HandModels,
        regions: List<Region>,
        minPresence: Double,
        palmScores: List<Double?> = regions.map { null },
    ): List<Hand> {
        if (regions.isEmpty()) return listOf()
        return models.hands(regions).mapIndexed { i, hand -> hand.with(palmScore = palmScores[i]) }
            .filter { it.presence > minPresence }
    }

    /** New hands that are kept: read again where their landmarks are, and certain enough, the more so if their palm was faint. */
    private fun verified(models: HandModels, found: List<Hand>): List<Hand> {
        val again = if (options.secondLook) read(models, found.map { regionOf(it.raw) }, -1.0, found.map { it.palmScore }) else found
        val leastOfFaint = max(options.minNewConfidence, options.minFaintConfidence)
        return found.zip(again).filter { (first, last) ->
            val score = last.palmScore
            val least = if (score != null && score < options.minPalmScore) leastOfFaint else options.minNewConfidence
            last.presence > options.minPresence && (score == null || together(score, first.presence, last.presence) > least)
        }.map { it.second }
    }

    private fun shouldSearch(kept: List<Hand>, now: Double): Boolean {
        if (kept.size >= options.maxHands) return false
        if (kept.size < max(1, held.size)) return true
        if (options.searchEvery != null) return sinceSearch >= options.searchEvery
        return now - changedS < EAGER_S || now - searchedS > 1 / SEARCHES_PER_S - FRAME_S / 4
    }

    private fun newPalms(palms: List<Palm>, kept: List<Hand>): List<Palm> {
        val room = max(options.maxHands - kept.size, 0)
        val new = palms.filter { palm -> kept.none { isPalmOf(palm, it) } }
        return new.take(if (options.faintPalms < 1) TRIED_PALMS_PER_SLOT * room else room)
    }

    private fun unique(hands: List<Hand>): List<Hand> {
        if (!options.removeDuplicates) return hands.take(options.maxHands)
        val kept = mutableListOf<Hand>()
        for (hand in hands) {
            val faint = hand.palmScore != null && hand.palmScore < options.minPalmScore
            if (kept.none { isSame(hand, it) || (faint && liesIn(hand, it)) }) kept.add(hand)
        }
        return kept.take(options.maxHands)
    }

    /** Each hand goes to its track or begins a new one; tracks that are lost for too long are forgotten. */
    private fun remember(hands: List<Hand>, searched: Boolean, now: Double) {
        val before = held
        val known = tracks.filter { now - it.seenS <= if (it in before) max(options.rememberS, MIN_MATCH_S) else options.rememberS }
        val owners = match(known, hands, now)
        val seen = hands.mapIndexed { i, hand ->
            val owner = owners[i]
            if (owner == null) Track.begin(nextId++, hand, now) else owner.seenAgain(hand, now, owner in before)
        }
        val lost = tracks.filter { it !in owners && now - it.seenS <= options.rememberS }
        if (seen.map { it.id }.toSet() != before.map { it.id }.toSet()) changedS = now
        tracks = (seen + lost).sortedBy { it.id }
        timeS = now
        sinceSearch = if (searched) 1 else sinceSearch + 1
        if (searched) searchedS = now
    }

    private fun current() = held.map { track ->
        val left = if (options.voteHandedness) track.left else null
        if (options.smooth) track.hand.with(track.landmarks.value, track.world.value, left, trackId = track.id)
        else track.hand.with(left = left, trackId = track.id)
    }

    /** A video that changes its size shows the same view in other pixels, unless its shape changes too. */
    private fun resize(width: Int, height: Int) {
        val scale = width.toDouble() / this.width
        if (this.width > 0 && scale != 1.0 && abs(height.toDouble() / this.height / scale - 1) < SAME_SHAPE)
            tracks = tracks.map { it.scaled(scale) }
        this.width = width
        this.height = height
    }

    private fun expected(track: Track, now: Double): Region {
        val region = regionOf(track.hand.raw)
        if (!options.predictMotion) return region
        val (dx, dy) = track.moved(now)
        val sure = max(0.0, 1 - NOISE_SPEED_PER_S / max(hypot(track.velocityX, track.velocityY) / baseline(track.hand), 1e-9))
        return region.copy(x = region.x + sure * dx, y = region.y + sure * dy)
    }
}

/** One hand through time. */
private class Track(
    val id: Int,
    val hand: Hand,
    val seenS: Double,
    val velocityX: Double,
    val velocityY: Double,
    val left: Double,
    val votes: Int,
    val landmarks: SmoothedHand,
    val world: Smoothed,
) {
    /** How far it should have moved since it was seen. */
    fun moved(now: Double): Pair<Double, Double> {
        val elapsed = min(now - seenS, EXTRAPOLATE_S)
        return Pair(velocityX * elapsed, velocityY * elapsed)
    }

    fun seenAgain(hand: Hand, now: Double, wasHeld: Boolean): Track {
        val votes = min(votes + 1, VOTES)
        var (x, y) = Pair(0.0, 0.0)
        if (wasHeld) {
            val scale = STEADY.size * (now - seenS)
            x = STEADY.sumOf { hand.raw[3 * it] - this.hand.raw[3 * it] } / scale
            y = STEADY.sumOf { hand.raw[3 * it + 1] - this.hand.raw[3 * it + 1] } / scale
        }
        return Track(
            id, hand.with(palmScore = hand.palmScore ?: this.hand.palmScore), now, x, y,
            left + (hand.left - left) / votes, votes,
            SmoothedHand.next(if (wasHeld) landmarks else null, hand.raw, now, baseline(hand)),
            Smoothed.next(if (wasHeld) world else null, hand.world, now, worldSize(hand)),
        )
    }

    /** The same in an image that is `scale` times as large. Pixel centres are whole numbers, so places shift as well. */
    fun scaled(scale: Double): Track {
        fun placed(points: DoubleArray) = DoubleArray(points.size) { points[it] * scale + if (it % 3 < 2) (scale - 1) / 2 else 0.0 }
        fun times(points: DoubleArray) = DoubleArray(points.size) { points[it] * scale }
        val (centre, shape) = Pair(landmarks.centre, landmarks.shape)
        return Track(
            id, hand.with(landmarks = placed(hand.landmarks), raw = placed(hand.raw)), seenS,
            velocityX * scale, velocityY * scale, left, votes,
            SmoothedHand(
                placed(landmarks.value),
                Smoothed(placed(centre.value), times(centre.speed), centre.timeS),
                Smoothed(times(shape.value), times(shape.speed), shape.timeS),
            ),
            world,
        )
    }

    companion object {
        fun begin(id: Int, hand: Hand, now: Double) = Track(
            id, hand, now, 0.0, 0.0, hand.left, 1,
            SmoothedHand.next(null, hand.raw, now, baseline(hand)),
            Smoothed.next(null, hand.world, now, worldSize(hand)),
        )
    }
}

/** The track of each hand, nearest pairs first; null where no track is in reach. */
private fun match(tracks: List<Track>, hands: List<Hand>, now: Double): List<Track?> {
    class Pair(val cost: Double, val track: Track, val hand: Int)
    val pairs = mutableListOf<Pair>()
    for (track in tracks) for ((h, hand) in hands.withIndex()) {
        val (dx, dy) = track.moved(now)
        val gap = STEADY.sumOf { hypot(hand.raw[3 * it] - track.hand.raw[3 * it] - dx, hand.raw[3 * it + 1] - track.hand.raw[3 * it + 1] - dy) }
        val distance = gap / STEADY.size / max(baseline(track.hand), baseline(hand))
        val disagreement = abs(hand.left - track.left)
        if (distance <= MATCH_DISTANCE + MATCH_DISTANCE_PER_S * (now - track.seenS) * (1 - disagreement))
            pairs.add(Pair(distance + OTHER_HANDEDNESS_PENALTY * disagreement, track, h))
    }
    val owners = MutableList<Track?>(hands.size) { null }
    for (pair in pairs.sortedBy { it.cost }) if (owners[pair.hand] == null && pair.track !in owners) owners[pair.hand] = pair.track
    return owners
}

/** The probability that independent probabilities stand for together: their odds multiplied. */
private fun together(vararg probabilities: Double): Double {
    val odds = probabilities.fold(1.0) { product, p -> product * p / max(1 - p, 1e-6) }
    return odds / (1 + odds)
}

/** The region around a hand, from its palm: 2.6 times the box, moved towards the fingers by half a box. */
fun regionOf(palm: Palm): Region {
    val (box, k) = Pair(palm.box, palm.keypoints)
    val angle = wrapped(PI / 2 - atan2(-(k[5] - k[1]), k[4] - k[0]))
    val (dx, dy) = turned(0.0, -0.5 * (box[3] - box[1]), angle)
    return Region((box[0] + box[2]) / 2 + dx, (box[1] + box[3]) / 2 + dy, 2.6 * max(box[2] - box[0], box[3] - box[1]), angle)
}

/** The region around a hand, from its 21 landmarks: twice the box of the steady points along the hand's direction. */
fun regionOf(p: DoubleArray): Region {
    fun end(k: Int) = ((p[15 + k] + p[39 + k]) / 2 + p[27 + k]) / 2 // between the MCP joints of index, middle and ring finger
    val angle = wrapped(PI / 2 - atan2(-(end(1) - p[1]), end(0) - p[0]))
    val points = STEADY.map { turned(p[3 * it], p[3 * it + 1], -angle) }
    val (x0, x1) = Pair(points.minOf { it.first }, points.maxOf { it.first })
    val (y0, y1) = Pair(points.minOf { it.second }, points.maxOf { it.second })
    val (x, y) = turned((x0 + x1) / 2, (y0 + y1) / 2 - 0.1 * (y1 - y0), angle)
    return Region(x, y, 2 * max(x1 - x0, y1 - y0), angle)
}

private fun turned(x: Double, y: Double, angle: Double) = Pair(x * cos(angle) - y * sin(angle), x * sin(angle) + y * cos(angle))

private fun wrapped(angle: Double) = angle - 2 * PI * floor((angle + PI) / (2 * PI))

/** The longest side of the triangle wrist, index MCP, pinky MCP: the unit of distance. */
private fun baseline(hand: Hand): Double {
    fun side(i: Int, j: Int) = hypot(hand.raw[3 * i] - hand.raw[3 * j], hand.raw[3 * i + 1] - hand.raw[3 * j + 1])
    return max(max(side(0, 5), side(5, 17)), max(side(17, 0), 1e-3))
}

private fun worldSize(hand: Hand): Double {
    val size = sqrt((0..2).sumOf { (hand.world[it] - hand.world[27 + it]) * (hand.world[it] - hand.world[27 + it]) })
    return if (size > 0) size else 1.0
}

private fun isPalmOf(palm: Palm, hand: Hand): Boolean {
    val gaps = PALM_LANDMARKS.mapIndexed { k, i -> hypot(palm.keypoints[2 * k] - hand.raw[3 * i], palm.keypoints[2 * k + 1] - hand.raw[3 * i + 1]) }
    return gaps.average() < 0.5 * baseline(hand)
}

private fun boxOf(hand: Hand): DoubleArray {
    val (x, y) = Pair((0..20).map { hand.landmarks[3 * it] }, (0..20).map { hand.landmarks[3 * it + 1] })
    return doubleArrayOf(x.min(), y.min(), x.max(), y.max())
}

/** Whether the middle of a hand's palm lies in another's box. */
private fun liesIn(hand: Hand, other: Hand): Boolean {
    val (x, y) = Pair(PALM_LANDMARKS.map { hand.raw[3 * it] }.average(), PALM_LANDMARKS.map { hand.raw[3 * it + 1] }.average())
    val box = boxOf(other)
    return box[0] <= x && x <= box[2] && box[1] <= y && y <= box[3]
}

/** Whether two hands are one: 10 of 21 landmarks within 0.2 baselines, and boxes that overlap by more than 0.2. */
private fun isSame(one: Hand, other: Hand): Boolean {
    val reach = 0.2 * max(baseline(one), baseline(other))
    val near = (0..20).count { hypot(one.raw[3 * it] - other.raw[3 * it], one.raw[3 * it + 1] - other.raw[3 * it + 1]) < reach }
    return near >= 10 && overlap(boxOf(one), boxOf(other)) > 0.2
}

/** Intersection over union of two boxes x0, y0, x1, y1. */
internal fun overlap(a: DoubleArray, b: DoubleArray): Double {
    val shared = max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    val all = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return if (all > 0) shared / all else 0.0
}

/** The One-Euro filter (Casiez, Roussel and Vogel, CHI 2012) on points x, y, z. */
private class Smoothed(val value: DoubleArray, val speed: DoubleArray, val timeS: Double) {
    companion object {
        fun next(before: Smoothed?, points: DoubleArray, timeS: Double, unit: Double, beta: Double = BETA_HZ_PER_SPEED): Smoothed {
            if (before == null || timeS <= before.timeS) return Smoothed(points, DoubleArray(points.size), timeS)
            val elapsed = timeS - before.timeS
            val (value, speed) = Pair(DoubleArray(points.size), DoubleArray(points.size))
            for (i in points.indices step 3) {
                for (k in i..i + 2) {
                    val measured = (points[k] - before.value[k]) / elapsed
                    speed[k] = before.speed[k] + blend(SPEED_CUTOFF_HZ, elapsed) * (measured - before.speed[k])
                }
                val norm = sqrt(speed[i] * speed[i] + speed[i + 1] * speed[i + 1] + speed[i + 2] * speed[i + 2])
                val weight = blend(MIN_CUTOFF_HZ + beta / unit * norm, elapsed)
                for (k in i..i + 2) value[k] = before.value[k] + weight * (points[k] - before.value[k])
            }
            return Smoothed(value, speed, timeS)
        }

        private fun blend(cutoffHz: Double, elapsed: Double) = 1 / (1 + 1 / (2 * PI * cutoffHz * elapsed))
    }
}

/** A filtered hand: its centre and its shape have filters of their own. */
private class SmoothedHand(val value: DoubleArray, val centre: Smoothed, val shape: Smoothed) {
    companion object {
        fun next(before: SmoothedHand?, points: DoubleArray, timeS: Double, unit: Double): SmoothedHand {
            val mean = DoubleArray(3) { k -> (0..20).sumOf { points[3 * it + k] } / 21 }
            val about = DoubleArray(points.size) { points[it] - mean[it % 3] }
            val centre = Smoothed.next(before?.centre, mean, timeS, unit, CENTRE_BETA_HZ_PER_SPEED)
            val shape = Smoothed.next(before?.shape, about, timeS, unit)
            if (before == null) return SmoothedHand(points, centre, shape)
            return SmoothedHand(DoubleArray(points.size) { shape.value[it] + centre.value[it % 3] }, centre, shape)
        }
    }
}

/** From time stamps, which may be equal, go back or come in bursts, to times that always rise. */
private class Clock {
    private var stampS = Double.NEGATIVE_INFINITY
    private var timeS = Double.NEGATIVE_INFINITY
    private var stepS = FRAME_S
    private var steps = 1
    private var offsetS = 0.0

    private val usualS get() = max(abs(stepS), MIN_USUAL_S)

    fun reset() {
        stampS = Double.NEGATIVE_INFINITY
        timeS = Double.NEGATIVE_INFINITY
        stepS = FRAME_S
        steps = 1
        offsetS = 0.0
    }

    fun tick(stamp: Double): Double {
        if (stampS.isInfinite()) {
            timeS = stamp
        } else if (stamp + offsetS < timeS - MAX_AHEAD_S) { // the stamps have gone back for good
            timeS += usualS
            offsetS = timeS - stamp
        } else {
            steps = min(steps + 1, USUAL_STEPS)
            stepS += (min(stamp - stampS, MAX_USUAL_S) - stepS) / steps
            val given = stamp + offsetS
            timeS = if (given < timeS + BELIEVED_PART * usualS) timeS + GUESSED_PART * usualS else given
        }
        stampS = stamp
        return timeS
    }
}
