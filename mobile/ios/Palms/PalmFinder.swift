import AVFoundation
import CoreImage
import TensorFlowLite

/// The palm network of knuckle.task, run by LiteRT. `hand_detector.tflite` is unzipped from it into the app's bundle.
final class PalmFinder: NSObject, ObservableObject {
    @Published private(set) var palms: [Palm] = []
    @Published private(set) var frameSize = CGSize(width: 480, height: 640)
    private(set) var camera: Camera!
    private var interpreter: Interpreter?
    private let drawing = CIContext()

    override init() {
        super.init()
        if let path = Bundle.main.path(forResource: "hand_detector", ofType: "tflite") {
            interpreter = try? Interpreter(modelPath: path)
            try? interpreter?.allocateTensors()
        }
        camera = Camera(position: .back) { [weak self] in self?.find($0) }
    }

    private func find(_ frame: CMSampleBuffer) {
        guard let interpreter = interpreter, let pixels = CMSampleBufferGetImageBuffer(frame) else { return }
        let (width, height) = (CVPixelBufferGetWidth(pixels), CVPixelBufferGetHeight(pixels))
        do {
            try interpreter.copy(input(pixels, width, height), toInputAt: 0)
            try interpreter.invoke()
            let boxes = try floats(interpreter.output(at: 0))
            let scores = try floats(interpreter.output(at: 1))
            let found = decodePalms(boxes: boxes, scores: scores, width: width, height: height, minScore: 0.5)
            DispatchQueue.main.async {
                self.frameSize = CGSize(width: width, height: height)
                self.palms = found
            }
        } catch {
            print("the palm network cannot be run: \(error)")
        }
    }

    /// The frame in the middle of a black square, as RGB from 0 to 1.
    private func input(_ pixels: CVPixelBuffer, _ width: Int, _ height: Int) -> Data {
        let side = PALM_SIDE
        let scale = CGFloat(side) / CGFloat(max(width, height))
        let left = (CGFloat(side) - CGFloat(width) * scale) / 2
        let bottom = (CGFloat(side) - CGFloat(height) * scale) / 2
        let move = CGAffineTransform(translationX: left, y: bottom).scaledBy(x: scale, y: scale)
        var bytes = [UInt8](repeating: 0, count: 4 * side * side)
        let area = CGRect(x: 0, y: 0, width: side, height: side)
        let image = CIImage(cvPixelBuffer: pixels).transformed(by: move).composited(over: CIImage(color: .black)).cropped(to: area)
        drawing.render(image, toBitmap: &bytes, rowBytes: 4 * side, bounds: area, format: .RGBA8, colorSpace: CGColorSpaceCreateDeviceRGB())
        var values: [Float] = []
        values.reserveCapacity(3 * side * side)
        for i in stride(from: 0, to: bytes.count, by: 4) {
            values += [Float(bytes[i]) / 255, Float(bytes[i + 1]) / 255, Float(bytes[i + 2]) / 255]
        }
        return values.withUnsafeBufferPointer { Data(buffer: $0) }
    }

    private func floats(_ tensor: Tensor) -> [Float] {
        tensor.data.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
    }
}
