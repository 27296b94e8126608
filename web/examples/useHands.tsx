// React: `const hands = useHands(videoRef)` gives the hands of a playing video, and renders again for each frame.
import { type Hand, HandTracker } from "knuckle-web";
import { type RefObject, useEffect, useState } from "react";

export function useHands(video: RefObject<HTMLVideoElement | null>): Hand[] {
  const [hands, setHands] = useState<Hand[]>([]);
  useEffect(() => {
    let tracker: HandTracker | null = null;
    let isUsed = true;
    async function onFrame() {
      const shown = video.current;
      if (!isUsed || !tracker || !shown) return;
      setHands(await tracker.track(shown, shown.currentTime));
      if (isUsed) shown.requestVideoFrameCallback(onFrame);
    }
    HandTracker.create().then((made) => {
      tracker = made;
      if (isUsed) video.current?.requestVideoFrameCallback(onFrame);
      else made.close();
    });
    return () => {
      isUsed = false;
      tracker?.close();
    };
  }, [video]);
  return hands;
}
