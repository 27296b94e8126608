package app.knuckle.palms

import android.content.Context
import android.graphics.Bitmap
import android.graphics.Canvas
import android.graphics.Color
import android.graphics.Paint
import android.graphics.RectF
import app.knuckle.PALM_SIDE
import app.knuckle.Palm
import app.knuckle.decodePalms
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.util.zip.ZipInputStream
import kotlin.math.max
import org.tensorflow.lite.Interpreter

/** The palm network of knuckle.task, run by LiteRT. Use it from one thread. */
class PalmFinder(context: Context) : AutoCloseable {
    private val interpreter = Interpreter(member(context, "hand_detector.tflite"), Interpreter.Options().setNumThreads(2))
    private val square = Bitmap.createBitmap(PALM_SIDE, PALM_SIDE, Bitmap.Config.ARGB_8888)
    private val pixels = IntArray(PALM_SIDE * PALM_SIDE)
    private val input = ByteBuffer.allocateDirect(4 * 3 * pixels.size).order(ByteOrder.nativeOrder())
    private val boxes = Array(1) { Array(2016) { FloatArray(18) } }
    private val scores = Array(1) { Array(2016) { FloatArray(1) } }

    /** The palms of a frame in its pixels, best first. */
    fun find(frame: Bitmap, minScore: Double): List<Palm> {
        fill(frame)
        interpreter.runForMultipleInputsOutputs(arrayOf(input), mapOf(0 to boxes, 1 to scores))
        val (flatBoxes, flatScores) = Pair(FloatArray(2016 * 18), FloatArray(2016) { scores[0][it][0] })
        boxes[0].forEachIndexed { i, row -> row.copyInto(flatBoxes, 18 * i) }
        return decodePalms(flatBoxes, flatScores, frame.width, frame.height, minScore)
    }

    /** The frame in the middle of a black square, as RGB from 0 to 1. */
    private fun fill(frame: Bitmap) {
        val scale = PALM_SIDE.toFloat() / max(frame.width, frame.height)
        val (width, height) = Pair(frame.width * scale, frame.height * scale)
        val (left, top) = Pair((PALM_SIDE - width) / 2, (PALM_SIDE - height) / 2)
        Canvas(square).apply {
            drawColor(Color.BLACK)
            drawBitmap(frame, null, RectF(left, top, left + width, top + height), Paint(Paint.FILTER_BITMAP_FLAG))
        }
        square.getPixels(pixels, 0, PALM_SIDE, 0, 0, PALM_SIDE, PALM_SIDE)
        input.rewind()
        for (pixel in pixels) {
            input.putFloat(Color.red(pixel) / 255f)
            input.putFloat(Color.green(pixel) / 255f)
            input.putFloat(Color.blue(pixel) / 255f)
        }
        input.rewind()
    }

    override fun close() = interpreter.close()
}

/** One of the two networks in the .task file, which is a zip archive. */
private fun member(context: Context, name: String): ByteBuffer {
    ZipInputStream(context.assets.open("knuckle.task")).use { archive ->
        generateSequence { archive.nextEntry }.first { it.name == name }
        val bytes = archive.readBytes()
        return ByteBuffer.allocateDirect(bytes.size).order(ByteOrder.nativeOrder()).put(bytes).apply { rewind() }
    }
}
