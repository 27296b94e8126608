import AVFoundation
import MediaPipeTasksVision

/// MediaPipe's HandLandmarker with Knuckle's networks, and Knuckle's tracker behind it: hands with ids, smoothed.
final class HandFinder: NSObject, ObservableObject, HandLandmarkerLiveStreamDelegate {
    @Published private(set) var hands: [Hand] = []
    @Published private(set) var frameSize = CGSize(width: 480, height: 640)
    private(set) var camera: Camera!
    private var landmarker: HandLandmarker?
    private let tracker = HandTracker()
    private var size = CGSize(width: 480, height: 640)

    override init() {
        super.init()
        let options = HandLandmarkerOptions()
        options.baseOptions.modelAssetPath = Bundle.main.path(forResource: "knuckle", ofType: "task") ?? ""
        options.runningMode = .liveStream
        options.numHands = 2
        options.minHandDetectionConfidence = 0.2  // Knuckle's palms score lower; its landmark network decides
        options.minHandPresenceConfidence = 0.5
        options.handLandmarkerLiveStreamDelegate = self
        landmarker = try? HandLandmarker(options: options)
        camera = Camera(position: .front) { [weak self] in self?.find($0) }
    }

    private func find(_ frame: CMSampleBuffer) {
        guard let landmarker = landmarker, let image = try? MPImage(sampleBuffer: frame) else { return }
        size = CGSize(width: image.width, height: image.height)
        let timeMs = Int(CMTimeGetSeconds(CMSampleBufferGetPresentationTimeStamp(frame)) * 1000)
        try? landmarker.detectAsync(image: image, timestampInMilliseconds: timeMs)
    }

    func handLandmarker(
        _ landmarker: HandLandmarker,
        didFinishDetection result: HandLandmarkerResult?,
        timestampInMilliseconds timeMs: Int,
        error: Error?
    ) {
        guard let result = result else { return }
        let (width, height) = (Double(size.width), Double(size.height))
        let found = result.landmarks.indices.map { i -> Hand in
            let side = result.handedness[i][0]
            return Hand(
                landmarks: result.landmarks[i].flatMap { [Double($0.x) * width, Double($0.y) * height, Double($0.z) * width] },
                world: result.worldLandmarks[i].flatMap { [Double($0.x), Double($0.y), Double($0.z)] },
                isLeft: side.categoryName != "Left",  // the frame is mirrored; the names are those of frames that are not
                handednessScore: Double(side.score)
            )
        }
        let tracked = tracker.update(stampS: Double(timeMs) / 1000, width: Int(width), height: Int(height), hands: found)
        DispatchQueue.main.async {
            self.frameSize = CGSize(width: width, height: height)
            self.hands = tracked
        }
    }
}
