// Gives the <video> its source: bytes inside the page, or a file beside it.
export function openVideo(video, data) {
  const inside = document.getElementById("video-data");
  const text = inside.textContent.trim();
  inside.remove(); // the text is a third larger than the video; let it go once it is decoded
  if (text) {
    const binary = atob(text);
    const bytes = new Uint8Array(binary.length);
    for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
    video.src = URL.createObjectURL(new Blob([bytes], { type: data.video.type }));
  } else if (data.video.file) {
    video.src = data.video.file;
  } else {
    return Promise.resolve(null);
  }
  return new Promise((resolve) => {
    video.addEventListener("loadeddata", () => resolve(video), { once: true });
    video.addEventListener("error", () => resolve(null), { once: true });
  });
}
