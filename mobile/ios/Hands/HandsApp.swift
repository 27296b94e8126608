import SwiftUI

/// The main example on a phone: the camera's picture with tracked hands, their ids and sides.
@main
struct HandsApp: App {
    var body: some Scene {
        WindowGroup { HandsScreen() }
    }
}

struct HandsScreen: View {
    @StateObject private var finder = HandFinder()

    var body: some View {
        ZStack {
            CameraView(session: finder.camera.session)
            Canvas { context, size in
                for hand in finder.hands { draw(hand, context, size) }
            }
        }
        .ignoresSafeArea()
        .onAppear { UIApplication.shared.isIdleTimerDisabled = true }
    }

    private func draw(_ hand: Hand, _ context: GraphicsContext, _ size: CGSize) {
        let points = (0...20).map {
            place(hand.landmarks[3 * $0], hand.landmarks[3 * $0 + 1], frame: finder.frameSize, view: size)
        }
        let colour: Color = hand.isLeft ? .orange : .teal
        var lines = Path()
        for (a, b) in connections {
            lines.move(to: points[a])
            lines.addLine(to: points[b])
        }
        context.stroke(lines, with: .color(colour), lineWidth: 3)
        for point in points {
            context.fill(Path(ellipseIn: CGRect(x: point.x - 4, y: point.y - 4, width: 8, height: 8)), with: .color(colour))
        }
        let name = "\(hand.trackId ?? 0) \(hand.isLeft ? "left" : "right")"
        context.draw(Text(name).foregroundColor(.white), at: CGPoint(x: points[0].x, y: points[0].y + 20))
    }
}

private let connections = [(0, 1), (0, 5), (5, 9), (9, 13), (13, 17), (0, 17)]
    + (0...4).flatMap { finger in (1...3).map { (4 * finger + $0, 4 * finger + $0 + 1) } }
