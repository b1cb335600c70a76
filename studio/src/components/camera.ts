/** Opens the camera of the machine, the one at the back of a phone.
 *
 * @throws DOMException - There is none, or the user does not allow it.
 */
export async function openCamera(): Promise<MediaStream> {
  if (!navigator.mediaDevices) {
    // Browsers give no camera to pages that come without encryption, but from this machine.
    throw new DOMException("", "NotSupportedError");
  }
  const video = { facingMode: "environment", width: { ideal: 640 }, height: { ideal: 480 } };
  return navigator.mediaDevices.getUserMedia({ video, audio: false });
}

export function closeCamera(stream: MediaStream | null): void {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

/** What the video shows now, as JPEG whose longest side is at most `side` pixels. */
export async function frameOf(video: HTMLVideoElement, side: number): Promise<Blob> {
  const scale = Math.min(1, side / Math.max(video.videoWidth, video.videoHeight));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(video.videoWidth * scale);
  canvas.height = Math.round(video.videoHeight * scale);
  canvas.getContext("2d")?.drawImage(video, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve, reject) => {
    const made = (blob: Blob | null) =>
      blob ? resolve(blob) : reject(new DOMException("", "EncodingError"));
    canvas.toBlob(made, "image/jpeg", 0.9);
  });
}
