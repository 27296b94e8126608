// Reads replays as numbers, plays them, and prints what the tracker asked and answered. test_mobile_trackers.py compares.
import app.knuckle.*
import java.io.StreamTokenizer
import java.util.Locale

val numbers = StreamTokenizer(System.`in`.bufferedReader()).apply {
    resetSyntax()
    wordChars('!'.code, '~'.code)
    whitespaceChars(0, ' '.code)
}

fun number(): Double {
    numbers.nextToken()
    return numbers.sval.toDouble()
}

fun count() = number().toInt()

fun flag() = count() == 1

fun values(size: Int) = DoubleArray(size) { number() }

fun <T> list(read: () -> T) = List(count()) { read() }

fun hand() = Hand(values(63), values(63), flag(), number(), number())

fun palm() = Palm(values(4), values(14), number())

class Recorded(val palms: List<Palm>, val reads: List<List<Hand>>) : HandModels {
    var searched = false
    val asked = mutableListOf<List<Region>>()

    override fun palms(minScore: Double): List<Palm> {
        searched = true
        return palms.filter { it.score >= minScore }
    }

    override fun hands(regions: List<Region>): List<Hand> {
        asked.add(regions)
        return reads[asked.size - 1]
    }
}

fun show(out: StringBuilder, vararg shown: Number) {
    for (one in shown) out.append(String.format(Locale.ROOT, "%.5f ", one.toDouble()))
}

fun play(out: StringBuilder) {
    val isWhole = flag()
    val options = TrackerOptions(
        count(), number(), number(), number(), number(), number(), flag(), count().let { if (it < 0) null else it },
        flag(), flag(), flag(), flag(), number(),
    )
    val tracker = HandTracker(options)
    repeat(count()) {
        val (time, width, height) = Triple(number(), count(), count())
        val hands: List<Hand>
        if (isWhole) {
            val recorded = Recorded(list { palm() }, list { list { hand() } })
            hands = tracker.track(time, width, height, recorded)
            show(out, if (recorded.searched) 1 else 0, recorded.asked.size)
            for (regions in recorded.asked) {
                show(out, regions.size)
                for (one in regions) show(out, one.x, one.y, one.size, one.angleRad)
            }
        } else hands = tracker.update(time, width, height, list { hand() })
        show(out, hands.size)
        for (hand in hands) {
            show(out, hand.trackId!!, if (hand.isLeft) 1 else 0, hand.handednessScore)
            show(out, *hand.landmarks.toTypedArray())
            show(out, *hand.world.toTypedArray())
        }
    }
}

fun decode(out: StringBuilder) {
    val (width, height, minScore) = Triple(count(), count(), number())
    val boxes = FloatArray(2016 * 18)
    val scores = FloatArray(2016) { -100f }
    repeat(count()) {
        val row = count()
        scores[row] = number().toFloat()
        for (k in 0 until 18) boxes[18 * row + k] = number().toFloat()
    }
    val palms = decodePalms(boxes, scores, width, height, minScore)
    show(out, palms.size)
    for (palm in palms) {
        show(out, palm.score)
        show(out, *palm.box.toTypedArray())
        show(out, *palm.keypoints.toTypedArray())
    }
}

fun main() {
    val out = StringBuilder()
    repeat(count()) { play(out) }
    repeat(count()) { decode(out) }
    println(out)
}
