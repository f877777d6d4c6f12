/** An address that can't be bound or connected to. */
export class AddressError extends Error {
  override readonly name = 'AddressError'
}

/**
 * Attaches a socket to an address: binds it, or connects it.
 * @throws AddressError naming the address and what the system said.
 */
export const attach = async (address: string, act: () => Promise<void> | void): Promise<void> => {
  try {
    await act()
  } catch (cause) {
    const { message, code } = cause as NodeJS.ErrnoException
    throw new AddressError(`${address}: ${message} (${code}); free it, or choose another address`, { cause })
  }
}

/** True when nobody outside this machine can reach the address. */
export const isLocalAddress = (address: string): boolean => {
  if (/^(inproc|ipc):\/\//.test(address)) return true
  const host = /^tcp:\/\/(.+):(\d+|\*)$/.exec(address)?.[1]
  return host === 'localhost' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host ?? '')
}

/** True for an address that libzmq can bind or connect; `*` as a port lets the system choose. */
export const isAddress = (address: string): boolean =>
  /^inproc:\/\/.+|^ipc:\/\/.+|^tcp:\/\/[^\s/]+:(\d{1,5}|\*)$/.test(address)
