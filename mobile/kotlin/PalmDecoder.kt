/**
 * From the outputs of the palm network in a `.task` file (hand_detector.tflite) to palms in image pixels.
 *
 * The network takes the image in the middle of a black square of 192 x 192 RGB values from 0 to 1. Its outputs are boxes
 * (2016, 18) and scores (2016, 1). The same as `src/knuckle/pipeline/palm.py`; `mobile/replays.json` holds for both.
 */
package app.knuckle

import kotlin.math.exp
import kotlin.math.max

const val PALM_SIDE = 192
const val SUPPRESS_IOU = 0.3
private const val VALUES = 18

/** Centres x, y of the anchors: two per cell of 8 pixels, then six per cell of 16 pixels. */
private val ANCHORS: DoubleArray = listOf(8 to 2, 16 to 6).flatMap { (stride, perCell) ->
    val cells = PALM_SIDE / stride
    (0 until cells * cells).flatMap { cell ->
        val centre = listOf((cell % cells + 0.5) * stride, (cell / cells + 0.5) * stride)
        (0 until perCell).flatMap { centre }
    }
}.toDoubleArray()

/** The palms of an image of this size, best first, that score at least `minScore`. */
fun decodePalms(boxes: FloatArray, scores: FloatArray, width: Int, height: Int, minScore: Double): List<Palm> {
    val side = max(width, height).toDouble()
    val scale = side / PALM_SIDE
    val left = (width - side) / 2
    val top = (height - side) / 2
    val palms = mutableListOf<Palm>()
    for (i in scores.indices) {
        val score = 1 / (1 + exp(-scores[i].toDouble().coerceIn(-80.0, 80.0)))
        if (score < minScore) continue
        fun x(k: Int) = (boxes[i * VALUES + k] + ANCHORS[2 * i]) * scale + left
        fun y(k: Int) = (boxes[i * VALUES + k] + ANCHORS[2 * i + 1]) * scale + top
        val halfX = boxes[i * VALUES + 2] * scale / 2
        val halfY = boxes[i * VALUES + 3] * scale / 2
        if (halfX <= 0 || halfY <= 0) continue
        val box = doubleArrayOf(x(0) - halfX, y(1) - halfY, x(0) + halfX, y(1) + halfY)
        palms.add(Palm(box, DoubleArray(14) { k -> if (k % 2 == 0) x(4 + k) else y(4 + k) }, score))
    }
    return suppressed(palms)
}

/** Each group of overlapping palms becomes its score-weighted mean, with the best score. */
private fun suppressed(palms: List<Palm>): List<Palm> {
    var rest = palms.sortedByDescending { it.score }
    val merged = mutableListOf<Palm>()
    while (rest.isNotEmpty()) {
        val best = rest[0]
        val (group, others) = rest.partition { it === best || overlap(best.box, it.box) > SUPPRESS_IOU }
        val total = group.sumOf { it.score }
        fun mean(of: (Palm) -> DoubleArray) = DoubleArray(of(best).size) { k -> group.sumOf { of(it)[k] * it.score } / total }
        merged.add(Palm(mean { it.box }, mean { it.keypoints }, best.score))
        rest = others
    }
    return merged
}
