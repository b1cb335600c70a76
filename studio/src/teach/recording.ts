/** Takes pictures of a video while it is held, some a second, and hands them on together. */
export class Recording {
  private timer: ReturnType<typeof setInterval> | undefined;
  private taken: File[] = [];
  private busy: Promise<void> | null = null;
  private count = 0;

  constructor(
    private readonly take: () => Promise<Blob>,
    private readonly onTaken: (files: File[]) => void,
    private readonly onFailure: (error: unknown) => void,
  ) {}

  get recording(): boolean {
    return this.timer !== undefined;
  }

  /** Begins with a picture at once; so a short press is one picture. */
  begin(): void {
    if (this.recording) return;
    this.shoot();
    this.timer = setInterval(() => this.shoot(), MILLISECONDS_BETWEEN_PICTURES);
  }

  async end(): Promise<void> {
    if (!this.recording) return;
    clearInterval(this.timer);
    this.timer = undefined;
    await this.busy;
    this.hand(1);
  }

  private shoot(): void {
    // A machine that is slower than that takes fewer.
    this.busy ??= this.take()
      .then((blob) => {
        this.count += 1;
        const stamp = new Date().toISOString().replace(/[:.]/g, "-");
        const name = `webcam-${stamp}-${this.count}.jpg`;
        this.taken.push(new File([blob], name, { type: "image/jpeg" }));
        this.hand(PICTURES_TOGETHER);
      }, this.onFailure)
      .finally(() => {
        this.busy = null;
      });
  }

  private hand(least: number): void {
    if (this.taken.length < least) return;
    const taken = this.taken;
    this.taken = [];
    this.onTaken(taken);
  }
}

const MILLISECONDS_BETWEEN_PICTURES = 200;
const PICTURES_TOGETHER = 5;
