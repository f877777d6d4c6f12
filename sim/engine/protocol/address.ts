/** True when nobody outside this machine can reach the address. */
export const isLocalAddress = (address: string): boolean => {
  if (/^(inproc|ipc):\/\//.test(address)) return true
  const host = /^tcp:\/\/(.+):(\d+|\*)$/.exec(address)?.[1]
  return host === 'localhost' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host ?? '')
}

/** True for an address that libzmq can bind or connect; `*` as a port lets the system choose. */
export const isAddress = (address: string): boolean =>
  /^inproc:\/\/.+|^ipc:\/\/.+|^tcp:\/\/[^\s/]+:(\d{1,5}|\*)$/.test(address)
