export function assembleLoops(): Promise<string>;
