// A bucket in the Worker's memory that takes parts of any one size: R2's smallest, 5 MiB, hide most places where a
// slice can end. Tests of R2 itself use R2.

export class MemoryBucket {
  #objects = new Map();
  #uploads = new Map();

  async head(key) {
    return this.#objects.get(key) ?? null;
  }

  async get(key, { range } = {}) {
    const object = this.#objects.get(key);
    if (object === undefined) return null;
    const { offset = 0, length = object.size } = range ?? {};
    return { ...object, body: new Response(object.bytes.subarray(offset, offset + length)).body };
  }

  async put(key, body) {
    const bytes = new Uint8Array(await new Response(body).arrayBuffer());
    if (!key.startsWith('discarded/')) this.#objects.set(key, { key, size: bytes.length, bytes, customMetadata: {} });
  }

  async delete(key) {
    this.#objects.delete(key);
  }

  async list() {
    return { objects: [...this.#objects.values()] };
  }

  async createMultipartUpload(key, { customMetadata }) {
    const uploadId = crypto.randomUUID();
    this.#uploads.set(uploadId, { key, customMetadata, parts: new Map() });
    return this.resumeMultipartUpload(key, uploadId);
  }

  resumeMultipartUpload(key, uploadId) {
    const upload = () => {
      const found = this.#uploads.get(uploadId);
      if (found?.key !== key) throw new Error('The specified multipart upload does not exist. (10024)');
      return found;
    };
    return {
      key,
      uploadId,
      uploadPart: async (partNumber, bytes) => {
        const etag = crypto.randomUUID();
        // Measurements of memory are of the exporter alone.
        const isKept = !key.startsWith('discarded/');
        const kept = isKept ? bytes.slice() : new Uint8Array(0);
        upload().parts.set(partNumber, { etag, size: bytes.length, bytes: kept });
        return { partNumber, etag };
      },
      complete: async (receipts) => {
        const { customMetadata, parts } = upload();
        const pieces = receipts.map(({ partNumber, etag }, index) => {
          const part = parts.get(partNumber);
          if (partNumber !== index + 1 || part?.etag !== etag) throw new Error('a part is invalid. (10025)');
          return part;
        });
        const sizes = pieces.map(({ size }) => size);
        if (new Set(sizes.slice(0, -1)).size > 1) throw new Error('all parts must have one size. (10048)');
        const bytes = new Uint8Array(await new Blob(pieces.map((piece) => piece.bytes)).arrayBuffer());
        const size = sizes.reduce((sum, one) => sum + one, 0);
        const object = { key, size, bytes, customMetadata };
        this.#objects.set(key, object);
        this.#uploads.delete(uploadId);
        return object;
      },
      abort: async () => {
        upload();
        this.#uploads.delete(uploadId);
      },
    };
  }
}
