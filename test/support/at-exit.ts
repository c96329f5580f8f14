// Work that must be done however a test process ends: at its normal end, and when it is told to end, which is how the
// test runner dismisses its workers.

const tasks = new Set<() => void>();
let isListening = false;

/** @returns takes the task back */
export function atExit(task: () => void): () => void {
  if (!isListening) {
    isListening = true;
    process.once("exit", () => {
      // The last first: programs end before the folder goes that was made for them, which a second signal may interrupt.
      for (const pending of [...tasks].reverse()) {
        try {
          pending();
        } catch (fault) {
          // The others must be done all the same.
          console.error(fault);
        }
      }
    });
    process.once("SIGTERM", () => process.exit(128 + 15));
    process.once("SIGINT", () => process.exit(128 + 2));
  }
  tasks.add(task);
  return () => tasks.delete(task);
}
