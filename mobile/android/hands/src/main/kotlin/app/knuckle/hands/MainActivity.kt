package app.knuckle.hands

import android.Manifest
import android.content.pm.PackageManager
import android.graphics.Bitmap
import android.graphics.Matrix
import android.os.Bundle
import android.util.Size
import android.view.WindowManager
import android.widget.FrameLayout
import androidx.activity.ComponentActivity
import androidx.activity.result.contract.ActivityResultContracts
import androidx.camera.core.CameraSelector
import androidx.camera.core.ImageAnalysis
import androidx.camera.core.ImageProxy
import androidx.camera.core.Preview
import androidx.camera.lifecycle.ProcessCameraProvider
import androidx.camera.view.PreviewView
import androidx.core.content.ContextCompat
import java.util.concurrent.Executors

/** The main example on a phone: the camera's picture with tracked hands, their ids and sides. */
class MainActivity : ComponentActivity() {
    private val worker = Executors.newSingleThreadExecutor()
    private lateinit var finder: HandFinder
    private lateinit var preview: PreviewView
    private lateinit var overlay: HandsView
    private val permission = registerForActivityResult(ActivityResultContracts.RequestPermission()) { if (it) openCamera() }

    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        window.addFlags(WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON)
        preview = PreviewView(this).apply { scaleType = PreviewView.ScaleType.FIT_CENTER }
        overlay = HandsView(this)
        setContentView(FrameLayout(this).apply { addView(preview); addView(overlay) })
        finder = HandFinder(this) { hands, width, height -> runOnUiThread { overlay.show(hands, width, height) } }
        val granted = ContextCompat.checkSelfPermission(this, Manifest.permission.CAMERA) == PackageManager.PERMISSION_GRANTED
        if (granted) openCamera() else permission.launch(Manifest.permission.CAMERA)
    }

    private fun openCamera() {
        val opening = ProcessCameraProvider.getInstance(this)
        opening.addListener({
            val analysis = ImageAnalysis.Builder()
                .setBackpressureStrategy(ImageAnalysis.STRATEGY_KEEP_ONLY_LATEST) // late frames are dropped
                .setOutputImageFormat(ImageAnalysis.OUTPUT_IMAGE_FORMAT_RGBA_8888)
                .setTargetResolution(Size(640, 480))
                .build()
            analysis.setAnalyzer(worker) { frame -> frame.use { finder.find(upright(it), it.imageInfo.timestamp / 1_000_000) } }
            val shown = Preview.Builder().build().apply { setSurfaceProvider(preview.surfaceProvider) }
            opening.get().apply {
                unbindAll()
                bindToLifecycle(this@MainActivity, CameraSelector.DEFAULT_FRONT_CAMERA, shown, analysis)
            }
        }, ContextCompat.getMainExecutor(this))
    }

    /** The frame as the user sees it: turned upright, and mirrored as the preview of a front camera is. */
    private fun upright(frame: ImageProxy): Bitmap {
        val turn = Matrix().apply {
            postRotate(frame.imageInfo.rotationDegrees.toFloat())
            postScale(-1f, 1f)
        }
        val bitmap = frame.toBitmap()
        return Bitmap.createBitmap(bitmap, 0, 0, bitmap.width, bitmap.height, turn, true)
    }

    override fun onDestroy() {
        super.onDestroy()
        worker.shutdown()
        finder.close()
    }
}
