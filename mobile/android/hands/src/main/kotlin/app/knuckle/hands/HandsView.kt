package app.knuckle.hands

import android.content.Context
import android.graphics.Canvas
import android.graphics.Color
import android.graphics.Paint
import android.view.View
import app.knuckle.Hand
import kotlin.math.min

/** Draws hands over the preview, which shows the whole frame in the middle of the view. */
class HandsView(context: Context) : View(context) {
    private var hands = listOf<Hand>()
    private var frameWidth = 1
    private var frameHeight = 1
    private val lines = Paint(Paint.ANTI_ALIAS_FLAG).apply { strokeWidth = 6f }
    private val text = Paint(Paint.ANTI_ALIAS_FLAG).apply { textSize = 44f; color = Color.WHITE }

    fun show(hands: List<Hand>, width: Int, height: Int) {
        this.hands = hands
        frameWidth = width
        frameHeight = height
        invalidate()
    }

    override fun onDraw(canvas: Canvas) {
        val scale = min(width.toFloat() / frameWidth, height.toFloat() / frameHeight)
        val left = (width - frameWidth * scale) / 2
        val top = (height - frameHeight * scale) / 2
        for (hand in hands) {
            lines.color = if (hand.isLeft) Color.rgb(255, 138, 0) else Color.rgb(0, 200, 180)
            fun x(i: Int) = left + hand.landmarks[3 * i].toFloat() * scale
            fun y(i: Int) = top + hand.landmarks[3 * i + 1].toFloat() * scale
            for ((a, b) in CONNECTIONS) canvas.drawLine(x(a), y(a), x(b), y(b), lines)
            for (i in 0..20) canvas.drawCircle(x(i), y(i), 8f, lines)
            canvas.drawText("${hand.trackId} ${if (hand.isLeft) "left" else "right"}", x(0) - 40, y(0) + 60, text)
        }
    }

    private companion object {
        val CONNECTIONS = listOf(0 to 1, 0 to 5, 5 to 9, 9 to 13, 13 to 17, 0 to 17) +
            (0..4).flatMap { finger -> (1..3).map { 4 * finger + it to 4 * finger + it + 1 } }
    }
}
