/** An import's bytes on their way to being an image. */
export interface Material {
  /** A local file. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  readonly diskFormat: string;
  readonly containerFormat: string;
  /** Properties that the image gets, whatever it had by their names. */
  readonly properties: Readonly<Record<string, string>>;
}

/** What one run of a plugin may use. */
export interface Setting {
  /** An empty name in a directory that goes with the import. */
  newFile(): Promise<string>;
  /** Of whoever asked for the import. */
  readonly roles: readonly string[];
  readonly signal: AbortSignal;
}

/** Makes something else of what is to become an image, or leaves it alone. What it is given, it does not change. */
export interface Plugin {
  readonly name: string;
  /** Rejects with `PluginRefused`, with `StagingFull`, or with the signal's reason. */
  run(material: Material, setting: Setting): Promise<Material>;
}

/** Why nothing can be made of it; the message is for the image's owner. */
export class PluginRefused extends Error {
  readonly reason: 'format-refused' | 'too-large' | 'plugin-failed';

  constructor(reason: PluginRefused['reason'], message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'PluginRefused';
    this.reason = reason;
  }
}
