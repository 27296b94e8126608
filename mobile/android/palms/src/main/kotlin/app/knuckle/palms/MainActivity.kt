package app.knuckle.palms

import android.Manifest
import android.content.Context
import android.content.pm.PackageManager
import android.graphics.Bitmap
import android.graphics.Canvas
import android.graphics.Color
import android.graphics.Matrix
import android.graphics.Paint
import android.os.Bundle
import android.view.View
import androidx.activity.ComponentActivity
import androidx.activity.result.contract.ActivityResultContracts
import androidx.camera.core.CameraSelector
import androidx.camera.core.ImageAnalysis
import androidx.camera.core.ImageProxy
import androidx.camera.lifecycle.ProcessCameraProvider
import androidx.core.content.ContextCompat
import app.knuckle.Palm
import java.util.concurrent.Executors
import kotlin.math.min

/** Palms only: the boxes and seven key points that the palm network finds in the camera's frames. */
class MainActivity : ComponentActivity() {
    private val worker = Executors.newSingleThreadExecutor()
    private lateinit var finder: PalmFinder
    private lateinit var view: PalmsView
    private val permission = registerForActivityResult(ActivityResultContracts.RequestPermission()) { if (it) openCamera() }

    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        finder = PalmFinder(this)
        view = PalmsView(this)
        setContentView(view)
        val granted = ContextCompat.checkSelfPermission(this, Manifest.permission.CAMERA) == PackageManager.PERMISSION_GRANTED
        if (granted) openCamera() else permission.launch(Manifest.permission.CAMERA)
    }

    private fun openCamera() {
        val opening = ProcessCameraProvider.getInstance(this)
        opening.addListener({
            val analysis = ImageAnalysis.Builder()
                .setBackpressureStrategy(ImageAnalysis.STRATEGY_KEEP_ONLY_LATEST)
                .setOutputImageFormat(ImageAnalysis.OUTPUT_IMAGE_FORMAT_RGBA_8888)
                .build()
            analysis.setAnalyzer(worker) { frame -> frame.use { look(upright(it)) } }
            opening.get().apply {
                unbindAll()
                bindToLifecycle(this@MainActivity, CameraSelector.DEFAULT_BACK_CAMERA, analysis)
            }
        }, ContextCompat.getMainExecutor(this))
    }

    private fun look(frame: Bitmap) {
        val palms = finder.find(frame, minScore = 0.5)
        runOnUiThread { view.show(frame, palms) }
    }

    private fun upright(frame: ImageProxy): Bitmap {
        val turn = Matrix().apply { postRotate(frame.imageInfo.rotationDegrees.toFloat()) }
        val bitmap = frame.toBitmap()
        return Bitmap.createBitmap(bitmap, 0, 0, bitmap.width, bitmap.height, turn, true)
    }

    override fun onDestroy() {
        super.onDestroy()
        worker.execute { finder.close() } // after the frame in work
        worker.shutdown()
    }
}

/** Shows a frame with its palms. */
private class PalmsView(context: Context) : View(context) {
    private var frame: Bitmap? = null
    private var palms = listOf<Palm>()
    private val lines = Paint(Paint.ANTI_ALIAS_FLAG).apply { strokeWidth = 3f; style = Paint.Style.STROKE; color = Color.YELLOW }

    fun show(frame: Bitmap, palms: List<Palm>) {
        this.frame = frame
        this.palms = palms
        invalidate()
    }

    override fun onDraw(canvas: Canvas) {
        val shown = frame ?: return
        val scale = min(width.toFloat() / shown.width, height.toFloat() / shown.height)
        canvas.translate((width - shown.width * scale) / 2, (height - shown.height * scale) / 2)
        canvas.scale(scale, scale)
        canvas.drawBitmap(shown, 0f, 0f, null)
        for (palm in palms) {
            val (x0, y0, x1, y1) = palm.box.map { it.toFloat() }
            canvas.drawRect(x0, y0, x1, y1, lines)
            for (k in 0 until 14 step 2) canvas.drawCircle(palm.keypoints[k].toFloat(), palm.keypoints[k + 1].toFloat(), 4f, lines)
        }
    }
}
