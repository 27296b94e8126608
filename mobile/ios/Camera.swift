import AVFoundation
import SwiftUI

/// The camera, upright frames from it on a queue of its own, and its picture as a view. Both samples use it.
final class Camera: NSObject, AVCaptureVideoDataOutputSampleBufferDelegate {
    let session = AVCaptureSession()
    private let queue = DispatchQueue(label: "camera")
    private let onFrame: (CMSampleBuffer) -> Void

    init(position: AVCaptureDevice.Position, onFrame: @escaping (CMSampleBuffer) -> Void) {
        self.onFrame = onFrame
        super.init()
        AVCaptureDevice.requestAccess(for: .video) { granted in
            if granted { self.queue.async { self.start(position) } }
        }
    }

    private func start(_ position: AVCaptureDevice.Position) {
        guard let device = AVCaptureDevice.default(.builtInWideAngleCamera, for: .video, position: position),
            let input = try? AVCaptureDeviceInput(device: device), session.canAddInput(input)
        else { return }
        session.sessionPreset = .vga640x480
        session.addInput(input)
        let output = AVCaptureVideoDataOutput()
        output.videoSettings = [kCVPixelBufferPixelFormatTypeKey as String: kCVPixelFormatType_32BGRA]
        output.alwaysDiscardsLateVideoFrames = true
        output.setSampleBufferDelegate(self, queue: queue)
        session.addOutput(output)
        if let connection = output.connection(with: .video) {
            connection.videoOrientation = .portrait
            connection.isVideoMirrored = position == .front
        }
        session.startRunning()
    }

    func captureOutput(_ output: AVCaptureOutput, didOutput frame: CMSampleBuffer, from connection: AVCaptureConnection) {
        onFrame(frame)
    }
}

/// Shows the camera's whole picture in the middle of the view.
struct CameraView: UIViewRepresentable {
    let session: AVCaptureSession

    final class Preview: UIView {
        override class var layerClass: AnyClass { AVCaptureVideoPreviewLayer.self }
    }

    func makeUIView(context: Context) -> Preview {
        let view = Preview()
        let layer = view.layer as? AVCaptureVideoPreviewLayer
        layer?.session = session
        layer?.videoGravity = .resizeAspect
        return view
    }

    func updateUIView(_ view: Preview, context: Context) {}
}

/// Where a point of a frame is in a view that shows the whole frame in its middle.
func place(_ x: Double, _ y: Double, frame: CGSize, view: CGSize) -> CGPoint {
    let scale = min(view.width / frame.width, view.height / frame.height)
    let left = (view.width - frame.width * scale) / 2
    let top = (view.height - frame.height * scale) / 2
    return CGPoint(x: left + CGFloat(x) * scale, y: top + CGFloat(y) * scale)
}
