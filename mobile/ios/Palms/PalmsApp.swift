import SwiftUI

/// Palms only: the boxes and seven key points that the palm network finds in the camera's frames.
@main
struct PalmsApp: App {
    var body: some Scene {
        WindowGroup { PalmsScreen() }
    }
}

struct PalmsScreen: View {
    @StateObject private var finder = PalmFinder()

    var body: some View {
        ZStack {
            CameraView(session: finder.camera.session)
            Canvas { context, size in
                for palm in finder.palms {
                    let corner = place(palm.box[0], palm.box[1], frame: finder.frameSize, view: size)
                    let other = place(palm.box[2], palm.box[3], frame: finder.frameSize, view: size)
                    let box = CGRect(x: corner.x, y: corner.y, width: other.x - corner.x, height: other.y - corner.y)
                    context.stroke(Path(box), with: .color(.yellow), lineWidth: 2)
                    for k in 0..<7 {
                        let point = place(palm.keypoints[2 * k], palm.keypoints[2 * k + 1], frame: finder.frameSize, view: size)
                        let dot = CGRect(x: point.x - 3, y: point.y - 3, width: 6, height: 6)
                        context.fill(Path(ellipseIn: dot), with: .color(.yellow))
                    }
                }
            }
        }
        .ignoresSafeArea()
    }
}
