import type { ImageCommand } from '../../domain/image/commands.ts';
import { isOfLocations } from '../../domain/image/locations.ts';
import { type Image, isThere, ownKeys } from '../../domain/image/state.ts';

/** What the model says of one command. */
export type Verdict = 'ok' | 'refused';

/**
 * The image as a page of the reference would tell it, with none of the decider's parts: one mutable record, no events,
 * administrators only.
 */
export class ImageModel {
  status = 'absent';
  name: string | null = null;
  protected = false;
  tags = new Set<string>();
  properties = new Map<string, string>();
  members = new Map<string, string>();
  ready = true;
  uploadId = '';
  staged = false;
  epoch = 0;
  holder: 'nobody' | 'somebody' = 'nobody';
  deaths = 0;
  key = '';

  apply(command: ImageCommand): Verdict {
    const caller = 'caller' in command;
    const there = this.status !== 'absent' && this.status !== 'deleted';
    if (caller && command.type !== 'CreateImage' && !there) return 'refused';
    switch (command.type) {
      case 'CreateImage':
        if (this.status !== 'absent') return 'refused';
        this.status = 'queued';
        this.name = command.attributes.name;
        this.protected = command.attributes.protected;
        this.tags = new Set(command.attributes.tags);
        this.properties = new Map(Object.entries(command.attributes.properties));
        this.ready = command.attributes.diskFormat !== null;
        return 'ok';
      case 'UpdateImage':
        return this.patched(command.operations);
      case 'AddTag':
        this.tags.add(command.tag);
        return 'ok';
      case 'RemoveTag':
        return this.tags.delete(command.tag) ? 'ok' : 'refused';
      case 'AddMember':
        if (this.members.has(command.member)) return 'refused';
        this.members.set(command.member, 'pending');
        return 'ok';
      case 'SetMemberStatus':
        if (!this.members.has(command.member)) return 'refused';
        this.members.set(command.member, command.status);
        return 'ok';
      case 'RemoveMember':
        return this.members.delete(command.member) ? 'ok' : 'refused';
      case 'DeactivateImage':
        return this.moved(['active', 'deactivated'], 'deactivated');
      case 'ReactivateImage':
        return this.moved(['active', 'deactivated'], 'active');
      case 'DeleteImage':
        if (this.protected) return 'refused';
        this.status = 'deleted';
        return 'ok';
      case 'BeginUpload':
        if (this.status === 'saving' && this.uploadId === command.uploadId) return 'ok';
        if (this.status !== 'queued' || !this.ready) return 'refused';
        this.status = 'saving';
        this.uploadId = command.uploadId;
        this.staged = false;
        this.epoch = 0;
        this.holder = 'nobody';
        this.deaths = 0;
        return 'ok';
      case 'AbortUpload':
        if (!this.uploading(command.uploadId)) return 'ok';
        if (this.staged) return 'refused';
        this.status = 'queued';
        return 'ok';
      case 'CompleteUpload':
        if (!this.uploading(command.uploadId)) return 'refused';
        this.staged = true;
        return 'ok';
      case 'ClaimIngest':
        if (!this.uploading(command.uploadId) || !this.staged) return 'refused';
        if (this.epoch !== command.supersedes) return 'refused';
        if (this.holder === 'somebody') this.deaths += 1;
        if (this.deaths === 5) this.status = 'queued';
        this.epoch += 1;
        this.holder = 'somebody';
        return 'ok';
      case 'ReleaseIngest':
        if (!this.holds(command)) return 'refused';
        this.holder = 'nobody';
        return 'ok';
      case 'FailIngest':
        if (!this.holds(command)) return 'refused';
        this.status = 'queued';
        return 'ok';
      case 'CompleteIngest':
        if (!this.holds(command)) return 'refused';
        this.status = 'active';
        this.key = command.result.stored[0]?.key ?? '';
        return 'ok';
      case 'RecordDataRemoved':
        return 'ok';
      default:
        throw new Error(`the model knows no ${command.type}`);
    }
  }

  /** The same of the decider's state. */
  static told(state: Image) {
    if (!isThere(state)) return { status: state.status };
    return {
      status: state.status,
      name: state.name,
      protected: state.protected,
      tags: [...state.tags].sort(),
      properties: Object.entries(state.properties).sort(),
      members: state.members.map(({ projectId, status }) => [projectId, status]),
      key: ownKeys(state)[0] ?? '',
    };
  }

  tell() {
    if (this.status === 'absent' || this.status === 'deleted') return { status: this.status };
    return {
      status: this.status,
      name: this.name,
      protected: this.protected,
      tags: [...this.tags].sort(),
      properties: [...this.properties].sort(),
      members: [...this.members],
      key: this.status === 'active' || this.status === 'deactivated' ? this.key : '',
    };
  }

  private patched(operations: (ImageCommand & { type: 'UpdateImage' })['operations']): Verdict {
    const properties = new Map(this.properties);
    let { name, protected: shield, tags } = this;
    for (const operation of operations)
      if (operation.kind === 'set') {
        if (operation.field === 'name') name = operation.value as string | null;
        else if (operation.field === 'protected') shield = operation.value as boolean;
        else if (operation.field === 'tags') tags = new Set(operation.value as readonly string[]);
        else throw new Error(`the model knows no ${operation.field}`);
      } else if (isOfLocations(operation)) throw new Error('the model knows no locations');
      else {
        const there = properties.has(operation.property);
        if (operation.kind === 'add-property' ? there && !operation.overwrite : !there)
          return 'refused';
        if (operation.kind === 'remove-property') properties.delete(operation.property);
        else properties.set(operation.property, operation.value);
      }
    Object.assign(this, { name, protected: shield, tags, properties });
    return 'ok';
  }

  private moved(from: readonly string[], to: string): Verdict {
    if (!from.includes(this.status)) return 'refused';
    this.status = to;
    return 'ok';
  }

  private uploading = (uploadId: string) => this.status === 'saving' && this.uploadId === uploadId;

  private holds = ({ uploadId, epoch }: { readonly uploadId: string; readonly epoch: number }) =>
    this.uploading(uploadId) &&
    this.staged &&
    this.epoch === epoch &&
    this.epoch > 0 &&
    this.holder === 'somebody';
}
