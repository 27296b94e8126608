package app.knuckle.hands

import android.content.Context
import android.graphics.Bitmap
import app.knuckle.Hand
import app.knuckle.HandTracker
import app.knuckle.TrackerOptions
import com.google.mediapipe.framework.image.BitmapImageBuilder
import com.google.mediapipe.framework.image.MPImage
import com.google.mediapipe.tasks.core.BaseOptions
import com.google.mediapipe.tasks.core.Delegate
import com.google.mediapipe.tasks.vision.core.RunningMode
import com.google.mediapipe.tasks.vision.handlandmarker.HandLandmarker
import com.google.mediapipe.tasks.vision.handlandmarker.HandLandmarkerResult

/**
 * MediaPipe's HandLandmarker with Knuckle's networks, and Knuckle's tracker behind it: hands with ids, smoothed.
 *
 * @param onHands is called on MediaPipe's thread with the hands of a frame, and the frame's size in pixels.
 */
class HandFinder(context: Context, private val onHands: (List<Hand>, Int, Int) -> Unit) : AutoCloseable {
    private val tracker = HandTracker(TrackerOptions(maxHands = 2))
    private val landmarker: HandLandmarker

    init {
        val base = BaseOptions.builder().setModelAssetPath("knuckle.task").setDelegate(Delegate.CPU).build()
        val options = HandLandmarker.HandLandmarkerOptions.builder()
            .setBaseOptions(base)
            .setRunningMode(RunningMode.LIVE_STREAM)
            .setNumHands(2)
            .setMinHandDetectionConfidence(0.2f) // Knuckle's palms score lower; its landmark network decides
            .setMinHandPresenceConfidence(0.5f)
            .setResultListener(this::onResult)
            .build()
        landmarker = HandLandmarker.createFromOptions(context, options)
    }

    fun find(frame: Bitmap, timeMs: Long) = landmarker.detectAsync(BitmapImageBuilder(frame).build(), timeMs)

    private fun onResult(result: HandLandmarkerResult, image: MPImage) {
        val (width, height) = Pair(image.width, image.height)
        val found = result.landmarks().mapIndexed { i, points ->
            val side = result.handedness()[i][0]
            val isLeft = side.categoryName() == "Left"
            Hand(
                landmarks = points.flatMap { listOf(it.x() * width, it.y() * height, it.z() * width) }.toDoubles(),
                world = result.worldLandmarks()[i].flatMap { listOf(it.x(), it.y(), it.z()) }.toDoubles(),
                isLeft = !isLeft, // the frame is mirrored; the names are those of frames that are not
                handednessScore = side.score().toDouble(),
            )
        }
        onHands(tracker.update(result.timestampMs() / 1000.0, width, height, found), width, height)
    }

    override fun close() = landmarker.close()
}

private fun List<Float>.toDoubles() = DoubleArray(size) { this[it].toDouble() }
